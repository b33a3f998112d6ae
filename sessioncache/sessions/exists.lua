-- sessions.exists: how many messages a live session has.
--
-- KEYS
--   @session
-- ARGV
--   id               text
--   now_override_ms  integer
-- REPLY   messages; nil where there is no session
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local s, err = peek_session(server_now_ms())
if err then
  return err
end
return s and s.messages or false
