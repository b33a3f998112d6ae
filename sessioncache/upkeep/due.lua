-- upkeep.due: ids of a shard whose deadline has passed, or is going to within a time, oldest first.
--
-- KEYS
--   deadlines  zset
-- ARGV
--   now_override_ms  integer
--   ahead_ms         integer
--   since_ms         integer  earliest deadline; nil: all
--   offset           integer
--   limit            integer
-- REPLY   now_ms id deadline_ms …
-- ERRORS  -
-- EMITS   -
local now = server_now_ms()
local found = redis.call('ZRANGEBYSCORE', deadlines, since_ms or '-inf', now + ahead_ms, 'WITHSCORES', 'LIMIT', offset,
  limit)
table.insert(found, 1, tostring(now))
return found
