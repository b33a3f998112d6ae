-- workspaces.of_session: the workspaces of one session, with its roles.
--
-- KEYS
--   @session
--   workspaces  hash
-- ARGV
--   id               text
--   now_override_ms  integer
-- REPLY   workspace value …
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local now = server_now_ms()
local s, err = peek_session(now)
if err or not s then
  return err or {}
end
slide_after_read(s, now)
return refuse_room('workspaces', redis.call('HLEN', workspaces)) or redis.call('HGETALL', workspaces)
