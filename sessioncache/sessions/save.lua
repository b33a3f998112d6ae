-- sessions.save: merge-on-write of a runtime session. Where the stored metadata_version is not lower than the incoming one,
-- the stored authoritative group wins as a whole, absent fields included; else the incoming group is taken whole. Runtime
-- fields are taken as they come, host fields only by a save that creates the session. New messages are appended: what others
-- appended meanwhile stays.
--
-- KEYS
--   @session
-- ARGV
--   @write
--   user              text     the owner of a session that has none yet; empty: none
--   metadata_version  integer  of the incoming group
--   pinned            integer  of the incoming group
--   authoritative     integer  how many pairs of the incoming group come first in `rest`, metadata_version among them
--   runtime           integer  how many pairs of runtime fields follow
--   host              integer  how many pairs of host fields follow
--   marks             text     one character a message, as in transcripts.append
--   rest              text...  those pairs, then the new messages
-- REPLY   repeated outcome gen revision created_ms updated_ms deadline_ms ttl_ms first_seq last_seq messages bytes new_seq
--         user, then name and value of every authoritative and host field
-- ERRORS  SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
-- EMITS   session.saved session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
if err then
  return err
end
local group, group_by_name, at = take_pairs(rest, 1, authoritative)
local fields, fields_by_name, after_fields = take_pairs(rest, at, runtime)
local host_fields, _, after_host = take_pairs(rest, after_fields, host)
local payloads = {}
for i = after_host, #rest do
  payloads[#payloads + 1] = rest[i]
end
err = refuse_quota(rules, s.messages + #payloads, s.bytes + payload_bytes(payloads))
if err then
  return err
end
local stored = s.created and {} or redis.call('HGETALL', record)
local stored_version = s.created and -1 or tonumber(redis.call('HGET', record, 'metadata_version') or 0)
local outcome = s.created and 'created' or (stored_version >= metadata_version and 'stored' or 'incoming')
if outcome ~= 'stored' then
  s.pinned = pinned == 1
end
take_user(s, user)
local fresh = s.messages == 0 and transcript
local new_seq = #payloads > 0 and s.seq + 1 or 0
local added = append_messages(s, now, marks, payloads)
write_record(s, rules, now)
replace_fields(stored, is_runtime, fields, fields_by_name)
if outcome ~= 'stored' then
  replace_fields(stored, is_authoritative, group, group_by_name)
end
if s.created and #host_fields > 0 then
  redis.call('HSET', record, unpack(host_fields))
end
if s.user == 'default' then
  move_user(s, user)
end
local reply = { outcome, s.gen, s.revision, s.created_ms, s.updated_ms, s.deadline_ms, s.ttl_ms, s.first_seq, s.last_seq,
  s.messages, s.bytes, new_seq, s.user }
local merged = redis.call('HGETALL', record)
for i = 1, #merged, 2 do
  if is_authoritative(merged[i]) or string.sub(merged[i], 1, 5) == 'host:' then
    reply[#reply + 1] = merged[i]
    reply[#reply + 1] = merged[i + 1]
  end
end
reply = remember_operation(operations, reply)
index_session(s, fresh)
count_totals(s.created and 1 or 0, #payloads, added)
publish_change(rules, now, 'session.saved', s.revision, 'outcome', outcome, 'first_seq', new_seq, 'last_seq', s.last_seq)
return reply
