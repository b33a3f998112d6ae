-- count_tail: how many of a session's messages lie in the stream, by the sealed part that its record names, if it does; nil where
-- chunks of that are missing.
local function count_tail(messages, part)
  if not part then
    return messages
  end
  local sealed = room_key('sealed')
  if part.chunks > 0 and redis.call('LLEN', sealed) == 2 * part.chunks then
    return messages - part.messages
  end
  return nil
end
