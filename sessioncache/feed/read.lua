-- feed.read: changes of one shard after a number, the newest change, and whether the change at that number is still the one
-- that was read: a server that lost its newest changes gives their numbers to others.
--
-- KEYS
--   feed    stream
--   totals  hash
-- ARGV
--   after     integer  number of the last change that was read
--   after_ms  integer  its time; empty: not known, so it is not looked at
--   limit     integer  most changes to answer; 0: only the newest
-- REPLY   newest newest_ms diverged entries
-- ERRORS  -
-- EMITS   -
local newest = tonumber(redis.call('HGET', totals, 'feed_seq')) or 0
local last = redis.call('XREVRANGE', feed, '+', '-', 'COUNT', 1)[1]
local newest_ms = last and tonumber(string.match(last[1], '%d+$')) or 0
local diverged = 0
if after_ms and after > 0 and after <= newest then
  local own = after .. '-' .. after_ms
  local first = redis.call('XRANGE', feed, '-', '+', 'COUNT', 1)[1]
  if first and tonumber(string.match(first[1], '^%d+')) <= after and not redis.call('XRANGE', feed, own, own)[1] then
    diverged = 1
  end
end
local entries = {}
if limit > 0 and newest ~= after then
  entries = redis.call('XRANGE', feed, tostring(after + 1), '+', 'COUNT', limit)
end
return { newest, newest_ms, diverged, entries }
