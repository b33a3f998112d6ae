-- refuse_quota: an error where the session would hold more than its policy allows. One that holds more already, because the policy
-- was made stricter, may shrink or stay as it is.
local function refuse_quota(rules, s, messages, bytes)
  if rules.quota_messages > 0 and messages > math.max(rules.quota_messages, s.messages) then
    return redis.error_reply('SCLIMIT the session would hold ' .. messages .. ' messages; its quota is ' ..
      rules.quota_messages)
  end
  if rules.quota_bytes > 0 and bytes > math.max(rules.quota_bytes, s.bytes) then
    return redis.error_reply('SCLIMIT the session would hold ' .. bytes .. ' bytes of messages; its quota is ' ..
      rules.quota_bytes)
  end
end
