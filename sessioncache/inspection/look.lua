-- inspection.look: what the keys of a session, and the lists of its shard, say of it at one moment, in whatever state they are.
--
-- KEYS
--   @session
-- ARGV
--   id               text
--   now_override_ms  integer
--   users            text...  users under whom the session may be listed, besides its own
-- REPLY   now_ms fields updated_ms deadline_ms listed ends lines lease keys; listed: 1 or 0 for its own user and each of `users`;
--         ends: ids of the first and the last entry of the stream, then the first and the last place of what is sealed; keys: type,
--         expiry and size of the record, transcript, operations, tombstone and lease, and, where there are any, of the keys of its rooms
-- ERRORS  -
-- EMITS   -
local function sound(reply)
  return (type(reply) ~= 'table' or not reply.err) and reply
end
local function size_of(kind, key)
  if kind == 'hash' then
    return redis.call('HLEN', key)
  elseif kind == 'list' then
    return redis.call('LLEN', key)
  elseif kind == 'zset' then
    return redis.call('ZCARD', key)
  elseif kind == 'stream' then
    return redis.call('XLEN', key)
  end
  return -1
end
local function score_of(reply)
  return sound(reply) and tostring(reply) or ''
end
local now = server_now_ms()
local leased, sealed, sums = room_key('lease'), room_key('sealed'), room_key('usage:totals')
local keys = {}
local function note(key)
  local kind = redis.call('TYPE', key)
  kind = kind.ok or kind
  keys[#keys + 1] = kind
  keys[#keys + 1] = kind == 'none' and -2 or redis.call('PEXPIRETIME', key)
  keys[#keys + 1] = kind == 'none' and 0 or size_of(kind, key)
end
for _, key in ipairs({ record, transcript, operations, tombstone, leased }) do
  note(key)
end
-- Most sessions have nothing but messages.
if redis.call('EXISTS', record, room_keys()) > redis.call('EXISTS', record) then
  for _, key in ipairs({ room_keys() }) do
    note(key)
  end
end
local own = sound(redis.pcall('HGET', record, 'user'))
local listed = { score_of(redis.pcall('ZSCORE', by_user, (own or '') .. '\0' .. id)) ~= '' and 1 or 0 }
for i, user in ipairs(users) do
  listed[i + 1] = score_of(redis.pcall('ZSCORE', by_user, user .. '\0' .. id)) ~= '' and 1 or 0
end
local ends = {}
for i, entries in ipairs({ redis.pcall('XRANGE', transcript, '-', '+', 'COUNT', 1),
  redis.pcall('XREVRANGE', transcript, '+', '-', 'COUNT', 1) }) do
  ends[i] = sound(entries) and entries[1] and entries[1][1] or ''
end
ends[3] = sound(redis.pcall('LINDEX', sealed, 0)) or ''
ends[4] = sound(redis.pcall('LINDEX', sealed, -2)) or ''
return {
  now, sound(redis.pcall('HGETALL', record)) or {}, score_of(redis.pcall('ZSCORE', by_updated, id)),
  score_of(redis.pcall('ZSCORE', deadlines, id)), listed, ends, sound(redis.pcall('HGET', sums, 'lines')) or '',
  sound(redis.pcall('HMGET', leased, 'holder', 'token', 'until_ms')) or {}, keys,
}
