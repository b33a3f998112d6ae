-- refuse_fenced: an error for a worker whose lease on the shard was taken over while it was not looking. 0: no lease.
local function refuse_fenced()
  if lease_token > 0 and (tonumber(redis.call('HGET', lease, 'token')) or 0) ~= lease_token then
    return redis.error_reply('SCLEASE the lease with token ' .. lease_token .. ' on this shard was taken over')
  end
end
