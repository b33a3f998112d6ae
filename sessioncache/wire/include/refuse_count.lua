-- refuse_count: an error where a room would hold more entries than the policy allows. One that holds more already, because the
-- policy was made stricter, may shrink or stay as it is.
local function refuse_count(rules, room, count)
  if rules.quota_entries > 0 and count > rules.quota_entries
    and count > (tonumber(redis.call('HGET', record, 'n:' .. room)) or 0) then
    return redis.error_reply('SCLIMIT the session would hold ' .. count .. ' ' .. room .. '; its quota is ' ..
      rules.quota_entries .. ' entries a room')
  end
end
