-- entities.get: one entity of a session.
--
-- KEYS
--   @session
--   entities            hash
--   relationships       hash
--   relationships_ends  zset
-- ARGV
--   id               text
--   now_override_ms  integer
--   entity           text  escaped name
-- REPLY   fields, packed; nil where there is no such session or entity
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local now = server_now_ms()
local s, err = peek_session(now)
if err or not s then
  return err or false
end
slide_after_read(s, now)
return refuse_graph() or redis.call('HGET', entities, entity)
