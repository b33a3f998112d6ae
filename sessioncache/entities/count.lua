-- entities.count: how many entities and relationships a session has.
--
-- KEYS
--   @session
--   entities            hash
--   relationships       hash
--   relationships_ends  zset
-- ARGV
--   id               text
--   now_override_ms  integer
-- REPLY   entities relationships
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local now = server_now_ms()
local s, err = peek_session(now)
if err or not s then
  return err or { 0, 0 }
end
slide_after_read(s, now)
return refuse_graph() or { redis.call('HLEN', entities), redis.call('HLEN', relationships) }
