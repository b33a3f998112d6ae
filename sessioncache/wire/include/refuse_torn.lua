-- refuse_torn: an error where the transcript, or its sealed part, is not as long as the record says.
local function refuse_torn(s)
  local length = redis.call('XLEN', transcript)
  if s.sealed then
    local sealed = room_key('sealed')
    length = length + s.sealed.messages
    if s.sealed.chunks == 0 or redis.call('LLEN', sealed) ~= 2 * s.sealed.chunks then
      return redis.error_reply('SCTORN session ' .. id .. ': chunks of its sealed messages are missing')
    end
  end
  if length ~= s.messages then
    return redis.error_reply('SCTORN session ' .. id .. ': the record counts ' .. s.messages .. ' messages, the transcript has ' .. length)
  end
end
