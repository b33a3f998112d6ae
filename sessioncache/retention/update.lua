-- retention.update: a session's own retention, in place of its namespace's. Its deadline moves at once.
--
-- KEYS
--   @session
-- ARGV
--   @write
--   sets    integer  how many pairs come first in `rest`
--   rest    text...  names and values to set, then names to clear
-- REPLY   repeated gen revision deadline_ms
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCNOTFOUND SCTORN SCSCHEMA
-- EMITS   retention.updated session.expired
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
  return redis.error_reply('SCNOTFOUND there is no session ' .. id .. ' to keep')
end
local given, by_name, at = take_pairs(rest, 1, sets)
s.retain_ttl_ms = tonumber(by_name['retain:ttl_ms']) or s.retain_ttl_ms
for i = at, #rest do
  if rest[i] == 'retain:ttl_ms' then
    s.retain_ttl_ms = nil
  end
end
s.deadline_ms = -1
write_record(s, rules, now, unpack(given))
for i = at, #rest do
  redis.call('HDEL', record, rest[i])
end
local reply = remember_operation(operations, now, { s.gen, s.revision, s.deadline_ms })
index_session(s)
publish_change(rules, now, 'retention.updated', s.revision, 'deadline_ms', s.deadline_ms)
return reply
