-- refuse_torn: an error where the transcript, or its sealed part, is not as long as the record says.
local function refuse_torn(s)
  local tail = count_tail(s.messages, s.sealed)
  if not tail then
    return redis.error_reply('SCTORN session ' .. id .. ': chunks of its sealed messages are missing')
  end
  local length = redis.call('XLEN', transcript)
  if length ~= tail then
    return redis.error_reply('SCTORN session ' .. id .. ': the record counts ' .. s.messages .. ' messages, the transcript has ' ..
      s.messages - tail + length)
  end
end
