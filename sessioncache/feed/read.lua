-- feed.read: changes of one shard after a number, and the number of the newest change, read in one moment.
--
-- KEYS
--   feed    stream
--   totals  hash
-- ARGV
--   after  integer  number of the last change that was read
--   limit  integer  most changes to answer; 0: only the newest number
-- REPLY   newest entries
-- ERRORS  -
-- EMITS   -
local newest = tonumber(redis.call('HGET', totals, 'feed_seq')) or 0
if limit == 0 or newest == after then
  return { newest, {} }
end
return { newest, redis.call('XRANGE', feed, tostring(after + 1), '+', 'COUNT', limit) }
