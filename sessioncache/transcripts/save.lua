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
-- ERRORS  SCGONE SCCONFLICT SCLEASE SCLIMIT SCRANGE SCTORN SCSCHEMA
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
local kept, kept_bytes = {}, 0
if through and through < s.last_seq then
  kept = redis.call('XRANGE', transcript, through + 1, '+', 'COUNT', 501)
  if #kept > 500 then
    return redis.error_reply('SCRANGE more than 500 messages follow ' .. through .. '; name a later one')
  end
  for _, entry in ipairs(kept) do
    kept_bytes = kept_bytes + #entry[2][2]
  end
  if #payloads > through then
    return redis.error_reply('SCRANGE ' .. #payloads .. ' messages do not fit into the sequence numbers up to ' .. through)
  end
end
local size = staged > 0 and size or payload_bytes(payloads)
local count = staged > 0 and staged or #payloads
err = refuse_quota(rules, count + #kept, size + kept_bytes)
if err then
  return err
end
take_user(s, user)
write_record(s, rules, now)
redis.call('UNLINK', transcript)
if staged > 0 then
  redis.call('XDEL', staging, '0-1')
  redis.call('RENAME', staging, transcript)
  redis.call('PERSIST', transcript)
  s.first_seq = tonumber(string.match(redis.call('XRANGE', transcript, '-', '+', 'COUNT', 1)[1][1], '^%d+'))
  s.last_seq = s.first_seq + staged - 1
  s.seq = math.max(s.seq, s.last_seq)
  s.messages, s.bytes = staged, size
else
  local last_seq = s.seq
  if #kept > 0 then
    s.seq = through - #payloads
  end
  s.messages, s.bytes, s.first_seq, s.last_seq = 0, 0, 0, 0
  append_messages(s, now, marks, payloads)
  for _, entry in ipairs(kept) do
    redis.call('XADD', transcript, entry[1], entry[2][1], entry[2][2])
    s.last_seq = tonumber(string.match(entry[1], '^%d+'))
  end
  if #kept > 0 and s.messages == 0 then
    s.first_seq = tonumber(string.match(kept[1][1], '^%d+'))
  end
  s.seq = math.max(s.seq, last_seq)
  s.messages, s.bytes = s.messages + #kept, s.bytes + kept_bytes
end
redis.call('HSET', record, 'seq', s.seq, 'first_seq', s.first_seq, 'last_seq', s.last_seq, 'messages', s.messages,
  'bytes', s.bytes)
local reply = remember_operation(operations, { s.created and 1 or 0, s.gen, s.revision, s.first_seq, s.last_seq, s.messages,
  before.messages - #kept, math.min(through or before.last_seq, before.last_seq) })
index_session(s, s.messages > 0 and transcript)
count_totals(s.created and 1 or 0, s.messages - before.messages, s.bytes - before.bytes)
publish_change(rules, now, 'transcript.replaced', s.revision, 'first_seq', s.first_seq, 'last_seq', s.last_seq)
return reply
