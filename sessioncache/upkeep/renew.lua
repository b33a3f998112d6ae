-- upkeep.renew: holds on to a lease under the same token. Works on a full server, as upkeep.acquire does.
--
-- KEYS
--   lease  hash
-- ARGV
--   now_override_ms  integer
--   holder           text
--   token            integer
--   ttl_ms           integer
-- REPLY   until_ms
-- ERRORS  SCLEASE
-- EMITS   -
local stored = redis.call('HMGET', lease, 'holder', 'token')
if stored[1] ~= holder or tonumber(stored[2]) ~= token then
  return redis.error_reply('SCLEASE the lease with token ' .. token .. ' was taken over by token ' .. (stored[2] or '0'))
end
local until_ms = server_now_ms() + ttl_ms
redis.call('HDEL', lease, 'until_ms')
redis.call('HSET', lease, 'until_ms', until_ms)
return until_ms
