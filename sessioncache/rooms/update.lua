-- rooms.update: edits single fields of one entry, whose payload is names and values (pack_parts). Clearing a name clears its parts
-- too: the names that begin with it and a unit separator. What is not named stays, also what this release does not know.
--
-- KEYS
--   @session
--   items  hash
--   order  zset
-- ARGV
--   @write
--   room   text     the room's name
--   entry  text     the entry's id
--   rest   text...  names and values to set; an empty value clears, before anything is set
-- REPLY   repeated found gen revision changed
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCTORN SCSCHEMA
-- EMITS   room.updated session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
err = err or refuse_room(room, redis.call('ZCARD', order))
if err then
  return err
end
local payload = redis.call('HGET', items, entry)
if not payload then
  return { '0', 0, s.created and '' or s.gen, s.revision, 0 }
end
local edited = edit_fields(payload, rest)
if edited == payload then
  return { '0', 1, s.gen, s.revision, 0 }
end
write_record(s, rules, now)
redis.call('HSET', items, entry, edited)
local reply = remember_operation(operations, now, { 1, s.gen, s.revision, 1 })
index_session(s)
publish_change(rules, now, 'room.updated', s.revision, 'room', room, 'entry', entry)
return reply
