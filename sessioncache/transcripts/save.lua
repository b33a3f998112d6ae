-- transcripts.save: replaces a transcript in one swap, up to a sequence number or whole; what was appended after that number
-- stays. The new messages come in the call, or were staged before.
--
-- KEYS
--   @session
--   staging   stream
-- ARGV
--   @write
--   user      text     whose session it is, if this call creates it; empty: the default user
--   through   integer  last sequence number to replace; empty: all
--   staged    integer  how many messages were staged; 0: they come here
--   size      integer  bytes of the staged messages
--   marks     text     one character a payload, as in transcripts.append
--   payloads  text...  the messages
-- REPLY   repeated created gen revision first_seq last_seq messages replaced_messages replaced_through; nil where the session
--         was created or replaced by another since the messages were staged, and they have to be staged anew
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCRANGE SCSEALED SCTORN SCSCHEMA
-- EMITS   transcript.replaced session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
if err then
  return err
end
if staged > 0 then
  local note = redis.call('XRANGE', staging, '0-1', '0-1')[1]
  if not note or redis.call('XLEN', staging) ~= staged + 1 then
    return redis.error_reply('SCRANGE the staged messages ran out of time: send the whole transcript again')
  end
  if note[2][2] ~= (s.created and '' or s.gen) then
    redis.call('UNLINK', staging)
    return false
  end
end
local before = { messages = s.messages, bytes = s.bytes, last_seq = s.last_seq }
local kept, kept_bytes
kept, kept_bytes, err = messages_behind(s, through, #payloads)
if err then
  return err
end
local size = staged > 0 and size or payload_bytes(payloads)
local count = staged > 0 and staged or #payloads
err = refuse_quota(rules, s, count + #kept, size + kept_bytes)
if err then
  return err
end
take_user(s, user)
write_record(s, rules, now)
if staged > 0 then
  redis.call('UNLINK', transcript)
  drop_sealed(s)
  redis.call('XDEL', staging, '0-1')
  redis.call('RENAME', staging, transcript)
  redis.call('PERSIST', transcript)
  s.first_seq = tonumber(string.match(redis.call('XRANGE', transcript, '-', '+', 'COUNT', 1)[1][1], '^%d+'))
  s.last_seq = s.first_seq + staged - 1
  s.seq = math.max(s.seq, s.last_seq)
  s.messages, s.bytes = staged, size
else
  swap_messages(s, now, through, kept, kept_bytes, marks, payloads)
end
redis.call('HSET', record, 'seq', s.seq, 'first_seq', s.first_seq, 'last_seq', s.last_seq, 'messages', s.messages,
  'bytes', s.bytes)
local reply = remember_operation(operations, now, { s.created and 1 or 0, s.gen, s.revision, s.first_seq, s.last_seq, s.messages,
  before.messages - #kept, math.min(through or before.last_seq, before.last_seq) })
index_session(s, s.messages > 0 and transcript)
count_totals(s.created and 1 or 0, s.messages - before.messages, s.bytes - before.bytes)
publish_change(rules, now, 'transcript.replaced', s.revision, 'first_seq', s.first_seq, 'last_seq', s.last_seq)
return reply
