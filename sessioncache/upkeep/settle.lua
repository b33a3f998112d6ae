-- upkeep.settle: sets a shard's totals to what was counted, if nothing has changed in the shard since the count.
--
-- KEYS
--   totals  hash
--   lease   hash
-- ARGV
--   lease_token  integer  0: none
--   feed_seq     integer  number of the newest change when the counting ended
--   sessions     integer
--   messages     integer
--   bytes        integer
-- REPLY   settled sessions messages bytes: 1 and the totals as they were before, or 0 if something changed meanwhile
-- ERRORS  SCLEASE
-- EMITS   -
local err = refuse_fenced()
if err then
  return err
end
local stored = redis.call('HMGET', totals, 'feed_seq', 'sessions', 'messages', 'bytes')
if (tonumber(stored[1]) or 0) ~= feed_seq then
  return { 0, 0, 0, 0 }
end
local before = { tonumber(stored[2]) or 0, tonumber(stored[3]) or 0, tonumber(stored[4]) or 0 }
if before[1] ~= sessions or before[2] ~= messages or before[3] ~= bytes then
  redis.call('HSET', totals, 'sessions', sessions, 'messages', messages, 'bytes', bytes)
end
return { 1, before[1], before[2], before[3] }
