-- upkeep.due: ids of a shard whose deadline has passed, oldest first.
--
-- KEYS
--   deadlines  zset
-- ARGV
--   now_override_ms  integer
--   limit            integer
-- REPLY   now_ms id deadline_ms …
-- ERRORS  -
-- EMITS   -
local now = server_now_ms()
local found = redis.call('ZRANGEBYSCORE', deadlines, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
table.insert(found, 1, tostring(now))
return found
