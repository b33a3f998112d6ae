-- unsealed: how many of a session's messages lie in its stream, if some are sealed; nothing where none are, or chunks are missing.
local function unsealed(messages)
  local part = redis.call('HGET', record, 'sealed')
  return part and count_tail(messages, sealed_part(part))
end
