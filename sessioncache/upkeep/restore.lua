-- upkeep.restore: puts a part of an archived session back, as it lay there: messages with their numbers, times and marks, entries of a
-- room, or fields of the record. For an import, which makes the session first and marks it as complete last.
--
-- KEYS
--   @session
--   items   hash
--   order   zset
--   traces  list
-- ARGV
--   @write
--   part  text     messages, hash, zset, list or record
--   room  text     whose entries are counted; empty: none
--   rest  text...  numbers, times, marks and payloads; fields and values; members and scores; or items
-- REPLY   repeated
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCTORN SCSCHEMA
-- EMITS   session.saved session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
if err then
  return err
end
local count, bytes = 0, 0
if part == 'messages' then
  for i = 1, #rest, 4 do
    count, bytes = count + 1, bytes + #rest[i + 3]
    s.seq = tonumber(rest[i])
  end
  s.first_seq = s.messages == 0 and tonumber(rest[1]) or s.first_seq
  s.last_seq, s.messages, s.bytes = s.seq, s.messages + count, s.bytes + bytes
end
write_record(s, rules, now, unpack(part == 'record' and rest or {}))
if part == 'messages' then
  for i = 1, #rest, 4 do
    redis.call('XADD', transcript, rest[i] .. '-' .. rest[i + 1], rest[i + 2], rest[i + 3])
  end
  index_session(s, transcript)
elseif part == 'hash' then
  redis.call('HSET', items, unpack(rest))
  if room ~= '' then
    set_count(room, redis.call('HLEN', items))
  end
  index_session(s, items)
elseif part == 'zset' then
  for i = 1, #rest, 2 do
    redis.call('ZADD', order, rest[i + 1], rest[i])
  end
  index_session(s, order)
elseif part == 'list' then
  set_count(room, redis.call('RPUSH', traces, unpack(rest)))
  index_session(s, traces)
else
  index_session(s)
end
local reply = remember_operation(operations, now, {})
count_totals(s.created and 1 or 0, count, bytes)
publish_change(rules, now, 'session.saved', s.revision)
return reply
