-- stats.read: one shard's totals. `overdue` are sessions past their deadline that no worker has swept yet: absent already, but
-- still in the totals.
--
-- KEYS
--   totals      hash
--   by_updated  zset
--   deadlines   zset
--   feed        stream
-- ARGV
--   now_override_ms  integer
--   others           text...  names of further totals: rooms, and what jobs have noted
-- REPLY   sessions messages bytes feed_seq indexed overdue oldest_due_ms feed_length now_ms others;
--         others in the order of the arguments, 0 where there is nothing
-- ERRORS  -
-- EMITS   -
local now = server_now_ms()
local stored = redis.call('HMGET', totals, 'sessions', 'messages', 'bytes', 'feed_seq')
local entries = #others > 0 and redis.call('HMGET', totals, unpack(others)) or {}
for i, count in ipairs(entries) do
  entries[i] = tonumber(count) or 0
end
local oldest = redis.call('ZRANGE', deadlines, 0, 0, 'WITHSCORES')
return {
  tonumber(stored[1]) or 0, tonumber(stored[2]) or 0, tonumber(stored[3]) or 0, tonumber(stored[4]) or 0,
  redis.call('ZCARD', by_updated), redis.call('ZCOUNT', deadlines, '-inf', now), oldest[2] and tonumber(oldest[2]) or 0,
  redis.call('XLEN', feed), now, entries,
}
