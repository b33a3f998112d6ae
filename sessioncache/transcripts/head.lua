-- transcripts.head: what the record says of the transcript, for a plain range read in the same round trip to be held against.
--
-- KEYS
--   @session
-- ARGV
--   id               text
--   now_override_ms  integer
-- REPLY   gen revision messages first_seq last_seq; nil where there is no session
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
return { s.gen, s.revision, s.messages, s.first_seq, s.last_seq }
