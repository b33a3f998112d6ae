-- transcripts.append: adds messages to a transcript's end, and creates the session where there is none.
--
-- KEYS
--   @session
-- ARGV
--   @write
--   user      text     whose session it is, if this call creates it; empty: the default user
--   marks     text     one character a payload: m, or c where it continues the one before
--   payloads  text...  the messages
-- REPLY   repeated created gen revision first_seq last_seq messages
-- ERRORS  SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
-- EMITS   transcript.appended session.expired
local now = server_now_ms()
local size = payload_bytes(payloads)
local gen, revision, seq, messages, bytes, updated_ms, feed_items = open_ordinary(now, #payloads, size)
if gen then
  local call, stamp = redis.call, string.format('%.0f', now)
  local last = seq + 0
  for i, payload in ipairs(payloads) do
    last = last + 1
    call('XADD', transcript, last .. '-' .. stamp, string.sub(marks, i, i), payload)
  end
  local first_seq, last_seq = seq + 1 .. '', last .. ''
  revision, messages = revision + 1 .. '', messages + #payloads .. ''
  local updated = now > updated_ms + 0 and stamp or updated_ms
  call('HSET', record, 'revision', revision, 'seq', last_seq, 'last_seq', last_seq, 'messages', messages, 'bytes', bytes + size,
    'updated_ms', updated)
  local reply = remember_operation(operations, { '0', gen, revision, first_seq, last_seq, messages })
  call('ZADD', by_updated, updated, id)
  call('HINCRBY', totals, 'messages', #payloads)
  call('HINCRBY', totals, 'bytes', size)
  publish_change({ feed_items = feed_items }, stamp, 'transcript.appended', revision, 'first_seq', first_seq, 'last_seq', last_seq)
  return reply
end
--- otherwise
local done = recall_operation()
if done then
  return done
end
local s, rules, err = open_session(now)
if err then
  return err
end
err = refuse_quota(rules, s, s.messages + #payloads, s.bytes + size)
if err then
  return err
end
local fresh = tail_length(s) == 0 and transcript
local first_seq = s.seq + 1
local added = append_messages(s, now, marks, payloads)
take_user(s, user)
write_record(s, rules, now)
local reply = remember_operation(operations, { s.created and 1 or 0, s.gen, s.revision, first_seq, s.seq, s.messages })
index_session(s, fresh)
count_totals(s.created and 1 or 0, #payloads, added)
publish_change(rules, now, 'transcript.appended', s.revision, 'first_seq', first_seq, 'last_seq', s.seq)
return reply
