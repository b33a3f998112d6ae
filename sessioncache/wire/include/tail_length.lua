-- tail_length: how many messages lie in the stream, behind those that are sealed.
local function tail_length(s)
  return s.messages - (s.sealed and s.sealed.messages or 0)
end
