-- transcripts.list: entries of a transcript by sequence number, oldest first or newest first, and what the record says of it,
-- in one moment. A plain range read beside transcripts.head costs a quarter; this one answers where somebody wrote in between, and where
-- the stream is empty, since all is sealed.
--
-- KEYS
--   @session
-- ARGV
--   id               text
--   now_override_ms  integer
--   start            integer  first sequence number to answer
--   stop             integer  last sequence number to answer; empty: the end
--   limit            integer  most entries to answer
--   newest           integer  1: count the limit from the end
-- REPLY   gen revision messages first_seq last_seq entries, then of a transcript with a sealed part what transcripts.head answers of
--         it, and the entries are those of the stream; nil where there is no session
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
local entries
local from, to = string.format('%.0f', start), stop and string.format('%.0f', stop) or '+'
if newest == 1 then
  entries = redis.call('XREVRANGE', transcript, to, from, 'COUNT', limit)
else
  entries = redis.call('XRANGE', transcript, from, to, 'COUNT', limit)
end
if not s.sealed then
  return { s.gen, s.revision, s.messages, s.first_seq, s.last_seq, entries }
end
local tail_seq, tail_ms = tail_start()
return { s.gen, s.revision, s.messages, s.first_seq, s.last_seq, entries, s.sealed.last_seq, s.sealed.messages, tail_seq, tail_ms,
  sealed_window(s, start, stop, limit, newest) }
