-- rooms.delete: removes entries from a room by their ids. Works on a full server, for it frees before it writes.
--
-- KEYS
--   @session
--   items  hash
--   order  zset
-- ARGV
--   @write
--   room     text     the room's name
--   kind     text     kind of their rows in the shard's links; empty: they have none
--   entries  text...  ids
-- REPLY   repeated removed gen revision count
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCTORN SCSCHEMA
-- EMITS   room.deleted session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
local before = redis.call('ZCARD', order)
err = err or refuse_room(room, before)
if err then
  return err
end
local found = {}
for _, entry in ipairs(entries) do
  if redis.call('HEXISTS', items, entry) == 1 then
    found[#found + 1] = entry
  end
end
if #found == 0 then
  return { '0', 0, s.created and '' or s.gen, s.revision, before }
end
local count = drop_entries(items, order, room, kind, found)
write_record(s, rules, now)
set_count(room, count)
local reply = remember_operation(operations, now, { before - count, s.gen, s.revision, count })
index_session(s)
publish_change(rules, now, 'room.deleted', s.revision, 'room', room, 'entries', before - count, 'last', found[#found])
return reply
