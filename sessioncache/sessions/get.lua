-- sessions.get: all fields of a live session's record.
--
-- KEYS
--   @session
-- ARGV
--   id               text
--   now_override_ms  integer
-- REPLY   name value …; nil where there is no session
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local now = server_now_ms()
local s, err = peek_session(now)
if err then
  return err
end
if not s then
  return false
end
slide_after_read(s, now)
return redis.call('HGETALL', record)
