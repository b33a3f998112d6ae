-- drop_sealed: removes the sealed part of the transcript; what the session counts is for the caller to set right.
local function drop_sealed(s)
  if s.sealed then
    local sealed = room_key('sealed')
    redis.call('UNLINK', sealed)
    redis.call('HDEL', record, 'sealed')
    s.sealed = nil
  end
end
