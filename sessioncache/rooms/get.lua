-- rooms.get: one entry of a room by its id.
--
-- KEYS
--   @session
--   items  hash
--   order  zset
-- ARGV
--   id               text
--   now_override_ms  integer
--   room             text  the room's name
--   entry            text  the entry's id
-- REPLY   number id payload; nil where there is no such session or entry
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local now = server_now_ms()
local s, err = peek_session(now)
if err or not s then
  return err or false
end
slide_after_read(s, now)
err = refuse_room(room, redis.call('ZCARD', order))
if err then
  return err
end
local number = redis.call('ZSCORE', order, entry)
return number and { number, entry, redis.call('HGET', items, entry) } or false
