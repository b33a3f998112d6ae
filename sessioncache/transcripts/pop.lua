-- transcripts.pop: removes the last message and answers it. Its sequence number is not given out again.
--
-- KEYS
--   @session
-- ARGV
--   @write
-- REPLY   repeated gen revision seq ms payload; nil where there is nothing to remove
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCSEALED SCTORN SCSCHEMA
-- EMITS   transcript.popped session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
if err then
  return err
end
if s.messages == 0 then
  return false
end
if tail_length(s) == 0 then
  return redis.error_reply('SCSEALED ' .. s.last_seq .. ' the messages from there on are sealed')
end
local newest = redis.call('XREVRANGE', transcript, '+', '-', 'COUNT', 2)
local popped, before = newest[1], newest[2]
local seq, ms = string.match(popped[1], '^(%d+)-(%d+)$')
local payload = popped[2][2]
if tonumber(seq) ~= s.last_seq then
  return redis.error_reply('SCTORN the transcript ends at ' .. seq .. ', the record says ' .. s.last_seq)
end
s.messages = s.messages - 1
s.bytes = s.bytes - #payload
s.last_seq = before and tonumber(string.match(before[1], '^%d+')) or (s.sealed and s.sealed.last_seq) or 0
s.first_seq = s.messages > 0 and s.first_seq or 0
if before then
  redis.call('XDEL', transcript, popped[1])
else
  redis.call('UNLINK', transcript)
end
write_record(s, rules, now)
local reply = remember_operation(operations, now, { s.gen, s.revision, seq, ms, payload })
index_session(s)
count_totals(0, -1, -#payload)
publish_change(rules, now, 'transcript.popped', s.revision, 'last_seq', seq)
return reply
