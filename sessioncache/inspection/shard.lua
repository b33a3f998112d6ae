-- inspection.shard: what a shard's own keys say at one moment, in whatever state they are.
--
-- KEYS
--   by_updated    zset
--   by_user       zset
--   deadlines     zset
--   totals        hash
--   feed          stream
--   policy        hash
--   links         zset
--   dependents    zset
--   dictionaries  hash
-- ARGV
--   now_override_ms  integer
-- REPLY   now_ms totals length first last keys; first and last: ids of entries of the feed; keys: type and time to live of each
-- ERRORS  -
-- EMITS   -
local function sound(reply)
  return (type(reply) ~= 'table' or not reply.err) and reply
end
local function id_of(entries)
  return sound(entries) and entries[1] and entries[1][1] or ''
end
local now = server_now_ms()
local keys = {}
for _, key in ipairs({ by_updated, by_user, deadlines, totals, feed, policy, links, dependents, dictionaries }) do
  local kind = redis.call('TYPE', key)
  keys[#keys + 1] = kind.ok or kind
  keys[#keys + 1] = redis.call('PTTL', key)
end
return {
  now, sound(redis.pcall('HGETALL', totals)) or {}, sound(redis.pcall('XLEN', feed)) or 0,
  id_of(redis.pcall('XRANGE', feed, '-', '+', 'COUNT', 1)), id_of(redis.pcall('XREVRANGE', feed, '+', '-', 'COUNT', 1)), keys,
}
