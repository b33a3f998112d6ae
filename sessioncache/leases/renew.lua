-- leases.renew: holds on to a session's lease under the same token, also after it ran out, if nobody has taken it since.
--
-- KEYS
--   session_lease  hash
-- ARGV
--   now_override_ms  integer
--   holder           text
--   token            integer
--   ttl_ms           integer
-- REPLY   until_ms
-- ERRORS  SCLEASE
-- EMITS   -
local stored = redis.call('HMGET', session_lease, 'holder', 'token')
if stored[1] ~= holder or tonumber(stored[2]) ~= token then
  return redis.error_reply('SCLEASE the lease with token ' .. string.format('%.0f', token) ..
    ' is not held any more: somebody has taken it, or it was given back, or the session was deleted')
end
local until_ms = server_now_ms() + ttl_ms
redis.call('HSET', session_lease, 'until_ms', until_ms)
redis.call('PEXPIRE', session_lease, ttl_ms + 3600000)
return until_ms
