-- entities.list: entities of a session in the order of their escaped names, from a name on.
--
-- KEYS
--   @session
--   entities            hash
--   relationships       hash
--   relationships_ends  zset
-- ARGV
--   id               text
--   now_override_ms  integer
--   after            text     escaped name to go on behind; empty: from the start
--   limit            integer  most entities to answer, 500 at most
-- REPLY   name fields …; names are escaped, fields packed
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
local start = (after == '' and '[=' or '(=') .. after
local reply = {}
for _, row in ipairs(redis.call('ZRANGEBYLEX', relationships_ends, start, '(>', 'LIMIT', 0, limit)) do
  local name = string.sub(row, 2)
  reply[#reply + 1] = name
  reply[#reply + 1] = redis.call('HGET', entities, name)
end
return reply
