-- entities.relationships: relationships of a session between two bounds of the index of their ends.
--
-- KEYS
--   @session
--   entities            hash
--   relationships       hash
--   relationships_ends  zset
-- ARGV
--   id               text
--   now_override_ms  integer
--   start            text     bound of the rows to look at
--   stop             text     bound of the rows to look at
--   limit            integer  most rows to look at, 500 at most
-- REPLY   row fields …; a row is > and from, type, to, or < and to, type, from, with NULs between; fields are packed
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local now = server_now_ms()
local s, err = peek_session(now)
if err or not s then
  return err or {}
end
slide_after_read(s, now)
err = refuse_graph()
if err then
  return err
end
local reply = {}
for _, row in ipairs(redis.call('ZRANGEBYLEX', relationships_ends, start, stop, 'LIMIT', 0, limit)) do
  local field = relationship_of(row)
  reply[#reply + 1] = row
  reply[#reply + 1] = redis.call('HGET', relationships, field)
end
return reply
