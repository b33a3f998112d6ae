-- refuse_torn: an error where the transcript is not as long as the record says.
local function refuse_torn(s)
  local length = redis.call('XLEN', transcript)
  if length ~= s.messages then
    return redis.error_reply('SCTORN session ' .. id .. ': the record counts ' .. s.messages .. ' messages, the transcript has ' .. length)
  end
end
