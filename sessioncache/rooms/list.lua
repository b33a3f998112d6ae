-- rooms.list: entries of a room in their order, the newest or from a place on.
--
-- KEYS
--   @session
--   items  hash
--   order  zset
-- ARGV
--   id               text
--   now_override_ms  integer
--   room             text     the room's name
--   after            integer  number to go on behind; empty: from the start, or the end
--   newest           integer  1: from the newest one backwards
--   limit            integer  most entries to answer, 500 at most
-- REPLY   gen revision count entries; an entry is number, id, payload; nil where there is no session
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local now = server_now_ms()
local s, err = peek_session(now)
if err or not s then
  return err or false
end
slide_after_read(s, now)
local count = redis.call('ZCARD', order)
err = refuse_room(room, count)
if err then
  return err
end
local place = after and '(' .. string.format('%.0f', after)
local found
if newest == 1 then
  found = redis.call('ZREVRANGEBYSCORE', order, place or '+inf', '-inf', 'WITHSCORES', 'LIMIT', 0, limit)
else
  found = redis.call('ZRANGEBYSCORE', order, place or '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
end
return { s.gen, s.revision, count, take_entries(items, found) }
