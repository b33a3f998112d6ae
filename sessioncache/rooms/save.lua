-- rooms.save: puts entries into a room of a session, each under its id: a new one at the end, a known one in its place. Creates
-- the session where there is none.
--
-- KEYS
--   @session
--   items  hash
--   order  zset
-- ARGV
--   @write
--   user     text     whose session it is, if this call creates it; empty: the default user
--   room     text     the room's name
--   kind     text     kind of the rows that the shard's links get for the entries; empty: none
--   keep     text     field of the shard's policy that says how many entries are kept; empty: all are
--   stamped  integer  1: payloads are packed behind the time of the save in us; 2: it is their first field, created_ms
--   entries  text...  ids and payloads
-- REPLY   repeated created gen revision count
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
-- EMITS   room.saved session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
local limit = keep ~= '' and tonumber(redis.call('HGET', policy, keep)) or 0
err = err or refuse_entries(rules, room, order, limit, entries)
if err then
  return err
end
take_user(s, user)
write_record(s, rules, now)
for i = 2, stamped > 0 and #entries or 0, 2 do
  entries[i] = stamped == 1 and pack_parts({ server_now_us(), entries[i] })
    or pack_parts({ 'created_ms', now }) .. entries[i]
end
local count = put_entries(items, order, room, entries)
if kind ~= '' then
  for i = 1, #entries, 2 do
    redis.call('ZADD', links, 0, kind .. '\0' .. entries[i] .. '\0' .. id)
  end
end
if limit > 0 and count > limit then
  local oldest = redis.call('ZRANGE', order, 0, math.min(count - limit, 500) - 1)
  count = drop_entries(items, order, room, kind, oldest)
end
set_count(room, count)
local reply = remember_operation(operations, now, { s.created and 1 or 0, s.gen, s.revision, count })
index_session(s, items, order)
count_totals(s.created and 1 or 0, 0, 0)
publish_change(rules, now, 'room.saved', s.revision, 'room', room, 'entries', #entries / 2, 'last', entries[#entries - 1])
return reply
