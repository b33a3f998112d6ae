-- sessions.ranks: how many sessions of a shard were updated before each of some times, for the search of a place in the list.
--
-- KEYS
--   by_updated  zset
--   deadlines   zset
-- ARGV
--   now_override_ms  integer
--   times            text...  milliseconds since 1970
-- REPLY   overdue oldest_ms newest_ms count…; overdue are listed in the index, but are absent already
-- ERRORS  -
-- EMITS   -
local oldest = redis.call('ZRANGE', by_updated, 0, 0, 'WITHSCORES')
local newest = redis.call('ZRANGE', by_updated, -1, -1, 'WITHSCORES')
local reply = { redis.call('ZCOUNT', deadlines, '-inf', server_now_ms()), tonumber(oldest[2]) or 0, tonumber(newest[2]) or 0 }
for _, time in ipairs(times) do
  reply[#reply + 1] = redis.call('ZCOUNT', by_updated, '-inf', '(' .. time)
end
return reply
