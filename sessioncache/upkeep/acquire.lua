-- upkeep.acquire: takes a shard's lease where it is free, has run out, is the holder's own, or ends later than any can. The fencing
-- token only grows. Works on a full server, for it frees before it writes: else no worker could empty that server.
--
-- KEYS
--   lease  hash
-- ARGV
--   now_override_ms  integer
--   holder           text
--   ttl_ms           integer
--   ttl_ms_max       integer  the longest one that there is
-- REPLY   token until_ms; nil where somebody else holds it
-- ERRORS  -
-- EMITS   -
local now = server_now_ms()
local stored = redis.call('HMGET', lease, 'holder', 'until_ms')
if stored[1] and stored[1] ~= holder and is_held(stored[2], now, ttl_ms_max) then
  return false
end
redis.call('HDEL', lease, 'until_ms')
local token = redis.call('HINCRBY', lease, 'token', 1)
redis.call('HSET', lease, 'holder', holder, 'until_ms', now + ttl_ms)
return { token, now + ttl_ms }
