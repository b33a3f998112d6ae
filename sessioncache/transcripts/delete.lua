-- transcripts.delete: removes all messages; the session stays. Sequence numbers go on where they were.
--
-- KEYS
--   @session
-- ARGV
--   @write
-- REPLY   repeated gen revision messages; nil where there is no session
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCTORN SCSCHEMA
-- EMITS   transcript.deleted session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
if err then
  return err
end
if s.created then
  return false
end
local messages, bytes = s.messages, s.bytes
if messages == 0 then
  return { '0', s.gen, s.revision, 0 }
end
redis.call('UNLINK', transcript)
drop_sealed(s)
s.messages, s.bytes, s.first_seq, s.last_seq = 0, 0, 0, 0
write_record(s, rules, now)
local reply = remember_operation(operations, now, { s.gen, s.revision, messages })
index_session(s)
count_totals(0, -messages, -bytes)
publish_change(rules, now, 'transcript.deleted', s.revision, 'last_seq', s.seq)
return reply
