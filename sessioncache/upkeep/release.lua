-- upkeep.release: gives a lease back, if it is still the holder's, and notes that the job has come to the end of the shard. The token
-- stays, so that it goes on growing. Works on a full server, for it frees before it writes.
--
-- KEYS
--   lease   hash
--   totals  hash
-- ARGV
--   holder           text
--   now_override_ms  integer
--   token            integer
--   job              text     that came to the end of the shard; empty: it did not
--   seen             text...  what it saw there: names, each with a number
-- REPLY   1 if it was held, else 0
-- ERRORS  -
-- EMITS   -
local stored = redis.call('HMGET', lease, 'holder', 'token')
if stored[1] ~= holder or tonumber(stored[2]) ~= token then
  return 0
end
redis.call('HDEL', lease, 'holder', 'until_ms')
if job ~= '' then
  redis.call('HSET', totals, 'passed:' .. job, server_now_ms())
end
for i = 1, #seen, 2 do
  redis.call('HSET', totals, 'seen:' .. seen[i], seen[i + 1])
end
return 1
