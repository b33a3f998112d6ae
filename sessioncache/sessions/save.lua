-- sessions.save: merge-on-write of a runtime session. Where the stored metadata_version is not lower than the incoming one,
-- the stored authoritative group wins as a whole, absent fields included; else the incoming group is taken whole. Runtime
-- fields are taken as they come, host fields only by a save that creates the session. New messages are appended: what others
-- appended meanwhile stays. Labels, documents and context updates are set one by one; an empty value removes one.
-- The shape: version and pin of the incoming group; how many pairs of each kind follow; keep_runtime 1: stored runtime fields stay;
-- through: the messages replace those up to that number, empty: they are appended; updated_ms: the caller's time, empty: now.
-- last is given only where this save has runtime fields and documents of the same names and no newer group than was answered.
--
-- KEYS
--   @session
-- ARGV
--   @write
--   user     text     the owner of a session that has none yet; empty: none
--   shape    numbers(metadata_version,pinned,authoritative,host,runtime,labels,documents,updates,keep_runtime,through,updated_ms)
--   group    text     the incoming authoritative group, metadata_version in it, and the host fields: names and values, as pack_parts
--   marks    text     one character a message, as in transcripts.append
--   last     text     the save before by the same caller: operation, = or * (documents are the same or not), revision; empty: none
--   rest     text...  pairs of runtime fields, labels, documents and context updates, then the new messages
-- REPLY   repeated outcome gen revision created_ms updated_ms deadline_ms ttl_ms first_seq last_seq messages bytes new_seq
--         user, then name and value of every authoritative and host field and label; where the caller was the last to write, one text
--         with spaces between: repeated again gen revision updated_ms deadline_ms ttl_ms first_seq last_seq messages bytes new_seq
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCRANGE SCSEALED SCTORN SCSCHEMA
-- EMITS   session.saved session.expired
local now = server_now_ms()
local done = last ~= '' and save_again(now)
if done then return done end
--- otherwise
done = save_ordinary(now)
if done then return done end
--- otherwise
done = recall_operation()
if done then return done end
local s, rules, err = open_session(now)
if err then
  return err
end
local given, by_name, at = {}, {}, 1
local incoming = unpack_parts(group)
given[1], by_name[1] = take_pairs(incoming, 1, authoritative)
given[3] = take_pairs(incoming, 1 + 2 * authoritative, host)
for i, count in ipairs({ runtime, labels, documents, updates }) do
  local kind = i == 1 and 2 or i + 2
  given[kind], by_name[kind], at = take_pairs(rest, at, count)
end
local payloads = take_rest(rest, at)
local before_messages, before_bytes = s.messages, s.bytes
local kept, kept_bytes
kept, kept_bytes, err = messages_behind(s, through, #payloads)
if err then
  return err
end
local left = through and #kept or s.messages
local left_bytes = through and kept_bytes or s.bytes
local document_items, update_items, update_order = room_key('documents'), room_key('updates'), room_key('updates:order')
local label_sets, label_clears = split_pairs(given[4])
err = refuse_quota(rules, s, left + #payloads, left_bytes + payload_bytes(payloads))
  or (labels > 0 and refuse_fields(label_sets, label_clears))
  or (documents > 0 and refuse_documents(rules, document_items, given[5]))
  or (updates > 0 and refuse_entries(rules, 'updates', update_order, 0, given[6]))
if err then
  return err
end
local stored_group, stored_runtime, others = group_fields(s.created and {} or redis.call('HGETALL', record))
local stored_version = s.created and -1 or tonumber(redis.call('HGET', record, 'metadata_version') or 0)
local outcome = s.created and 'created' or (stored_version >= metadata_version and 'stored' or 'incoming')
if outcome ~= 'stored' then
  s.pinned = pinned == 1
end
take_user(s, user)
local fresh = (through or tail_length(s) == 0) and transcript
local new_seq = #payloads > 0 and (#kept > 0 and through - #payloads or s.seq) + 1 or 0
if through then
  redis.call('HSET', record, 'seq', s.seq)
  swap_messages(s, now, through, kept, kept_bytes, marks, payloads)
else
  append_messages(s, now, marks, payloads)
end
write_record(s, rules, now)
if updated_ms then
  s.updated_ms = math.min(updated_ms, now)
  redis.call('HSET', record, 'updated_ms', s.updated_ms, 'written_ms', now)
end
if s.created or keep_runtime == 0 then
  replace_fields(stored_runtime, given[2], by_name[2])
end
if outcome ~= 'stored' then
  replace_fields(stored_group, given[1], by_name[1])
end
if s.created and host > 0 then
  redis.call('HSET', record, unpack(given[3]))
end
if labels > 0 then
  put_documents(record, given[4])
end
if documents > 0 then
  set_count('documents', put_documents(document_items, given[5]))
end
if updates > 0 then
  set_count('updates', put_entries(update_items, update_order, 'updates', given[6]))
end
if s.user == 'default' then
  move_user(s, user)
end
local reply = { outcome, s.gen, s.revision, s.created_ms, s.updated_ms, s.deadline_ms, s.ttl_ms, s.first_seq, s.last_seq,
  s.messages, s.bytes, new_seq, s.user }
if outcome ~= 'stored' or labels > 0 then
  stored_group, stored_runtime, others = group_fields(redis.call('HGETALL', record))
end
for _, fields in ipairs({ stored_group, others }) do
  for _, part in ipairs(fields) do
    reply[#reply + 1] = part
  end
end
reply = remember_operation(operations, now, reply)
index_session(s, s.messages > 0 and fresh, documents > 0 and document_items, updates > 0 and update_items,
  updates > 0 and update_order)
count_totals(s.created and 1 or 0, s.messages - before_messages, s.bytes - before_bytes)
publish_change(rules, now, 'session.saved', s.revision, 'outcome', outcome, 'first_seq', new_seq, 'last_seq', s.last_seq)
return reply
