-- refuse_quota: an error where the session would hold more than its policy allows.
local function refuse_quota(rules, messages, bytes)
  if rules.quota_messages > 0 and messages > rules.quota_messages then
    return redis.error_reply('SCLIMIT the session would hold ' .. messages .. ' messages; its quota is ' ..
      rules.quota_messages)
  end
  if rules.quota_bytes > 0 and bytes > rules.quota_bytes then
    return redis.error_reply('SCLIMIT the session would hold ' .. bytes .. ' bytes of messages; its quota is ' ..
      rules.quota_bytes)
  end
end
