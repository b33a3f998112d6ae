-- leases.acquire: takes a session's lease where it is free, has run out, or is the holder's own. The token is higher than every
-- one before, also where the session or its lease was removed since: the clock stands in for what was forgotten. Creates no
-- session, and says nothing in the feed. The key outlives the lease, so that the token is known to late writers.
--
-- KEYS
--   record         hash
--   tombstone      list
--   session_lease  hash
-- ARGV
--   now_override_ms  integer
--   holder           text
--   ttl_ms           integer
--   ttl_ms_max       integer  the longest one that there is
-- REPLY   token until_ms; token is 0 where somebody else holds it
-- ERRORS  SCLIMIT
-- EMITS   -
local now = server_now_ms()
local held = redis.call('HMGET', session_lease, 'holder', 'until_ms')
if held[1] and held[1] ~= holder and is_held(held[2], now, ttl_ms_max) then
  return { 0, tonumber(held[2]) }
end
local token = math.max(newest_token(tonumber(redis.call('HGET', record, 'fence')) or 0) + 1, now)
if token > 9007199254740991 then
  return redis.error_reply('SCLIMIT a write had the highest fencing token that there is, so no lease can have a higher one')
end
redis.call('HSET', session_lease, 'holder', holder, 'token', string.format('%.0f', token), 'until_ms', now + ttl_ms)
redis.call('PEXPIRE', session_lease, ttl_ms + 3600000)
return { token, now + ttl_ms }
