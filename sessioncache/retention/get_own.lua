-- retention.get_own: what a live session says for itself.
--
-- KEYS
--   @session
-- ARGV
--   id               text
--   now_override_ms  integer
-- REPLY   ttl_ms keep_messages keep_bytes keep_age_ms, each nil where the namespace's policy holds; nil where there is no session
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local s, err = peek_session(server_now_ms())
if err then
  return err
end
if not s then
  return false
end
return redis.call('HMGET', record, 'retain:ttl_ms', 'retain:messages', 'retain:bytes', 'retain:age_ms')
