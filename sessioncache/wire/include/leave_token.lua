-- leave_token: a deleted session's highest fencing token goes into its tombstone, so that later leases have higher ones.
local function leave_token(token)
  if token > 0 then
    redis.call('RPUSH', tombstone, 'fence', pack_parts({ 'fence', string.format('%.0f', token) }))
  end
end
