-- transcripts.head: what the record says of the transcript, for a plain range read in the same round trip to be held against.
--
-- KEYS
--   @session
-- ARGV
--   id               text
--   now_override_ms  integer
--   start            integer  of the range, as in transcripts.list
--   stop             integer
--   limit            integer  0: no messages are wanted, sealed or not
--   newest           integer
-- REPLY   gen revision messages first_seq last_seq, then of a transcript with a sealed part: the last sequence number and the
--         messages of that part, the first sequence number of the stream (0: empty) and its time, and chunks of the range, each behind its
--         place; nil where there is no session
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
if not s.sealed then
  return { s.gen, s.revision, s.messages, s.first_seq, s.last_seq }
end
local tail_seq, tail_ms = tail_start()
return { s.gen, s.revision, s.messages, s.first_seq, s.last_seq, s.sealed.last_seq, s.sealed.messages, tail_seq, tail_ms,
  limit > 0 and sealed_window(s, start, stop, limit, newest) or {} }
