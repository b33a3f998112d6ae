-- count_tail: how many of a session's messages lie in the stream, by the record's field `sealed`; nil where chunks are missing.
local function count_tail(messages, text)
  if not text then
    return messages
  end
  local sealed = room_key('sealed')
  local part = sealed_part(text)
  if part.chunks > 0 and redis.call('LLEN', sealed) == 2 * part.chunks then
    return messages - part.messages
  end
  return nil
end
