-- transcripts.append: adds messages to a transcript's end, and creates the session where there is none.
--
-- KEYS
--   @session
-- ARGV
--   @write
--   user      text     whose session it is, if this call creates it; empty: the default user
--   marks     text     one character a payload: m, or c where it continues the one before
--   payloads  text...  the messages
-- REPLY   one text with spaces between: repeated created gen revision first_seq last_seq messages
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
-- EMITS   transcript.appended session.expired
local now = server_now_ms()
local size = payload_bytes(payloads)
local gen, revision, seq, messages, bytes, updated_ms, feed_items = open_ordinary(now, #payloads, size)
if gen then
  local call, concat, stamp, count = redis.call, table.concat, string.format('%.0f', now), #payloads
  for i = 1, count do
    call('XADD', transcript, seq + i .. '-' .. stamp, string.sub(marks, i, i), payloads[i])
  end
  local first_seq, last_seq = seq + 1 .. '', seq + count .. ''
  revision, messages = revision + 1 .. '', messages + count .. ''
  local updated = now > updated_ms and stamp or updated_ms
  call('HSET', record, 'revision', revision, 'seq', last_seq, 'last_seq', last_seq, 'messages', messages, 'bytes', bytes + size,
    'updated_ms', updated)
  local reply = { stamp .. '\0310', gen, revision, first_seq, last_seq, messages }
  keep_reply(operations, concat(reply, '\31'))
  call('ZADD', by_updated, updated, id)
  call('HINCRBY', totals, 'messages', count)
  call('HINCRBY', totals, 'bytes', size)
  publish_change({ feed_items = feed_items }, stamp, 'transcript.appended', revision, 'first_seq', first_seq, 'last_seq', last_seq)
  reply[1] = '0 0'
  return concat(reply, ' ')
end
--- otherwise
local done = recall_operation()
if done then
  return done.err and done or table.concat(done, ' ')
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
local reply = remember_operation(operations, now, { s.created and 1 or 0, s.gen, s.revision, first_seq, s.seq, s.messages })
index_session(s, fresh)
count_totals(s.created and 1 or 0, #payloads, added)
publish_change(rules, now, 'transcript.appended', s.revision, 'first_seq', first_seq, 'last_seq', s.seq)
return table.concat(reply, ' ')
