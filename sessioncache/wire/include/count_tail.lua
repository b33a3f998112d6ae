-- count_tail: how many of a session's messages lie in the stream, by the record's field `sealed`; nil where chunks are missing.
local function count_tail(messages, text)
  if not text then
    return messages
  end
  local sealed = sealed_part(text)
  if sealed.chunks > 0 and redis.call('LLEN', room_key('sealed')) == 2 * sealed.chunks then
    return messages - sealed.messages
  end
  return nil
end
