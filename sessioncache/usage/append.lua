-- usage.append: adds lines to the end of a session's usage log, and their numbers to its sums. Creates the session where there is
-- none, if it is told to.
--
-- KEYS
--   @session
--   usage         list
--   usage_totals  hash
-- ARGV
--   @write
--   user      text     whose session it is, if this call creates it; empty: the default user
--   create    integer  0: an unknown session is left alone
--   summed    integer  how many names and numbers come first in `rest`
--   rest      text...  names and numbers to add to the sums, then the lines
-- REPLY   repeated stored created gen revision count position; the position is the last line's
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
-- EMITS   usage.appended session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
if s and s.created and create == 0 and not err then
  return { '0', 0, 0, '', 0, 0, 0 }
end
local sums, _, at = take_pairs(rest, 1, summed)
local lines = {}
for i = at, #rest do
  lines[#lines + 1] = rest[i]
end
local keep = tonumber(redis.call('HGET', policy, 'keep_usage')) or 0
local before = redis.call('LLEN', usage)
err = err or refuse_log(rules, 'usage', before, keep, #lines) or refuse_sums(before)
if err then
  return err
end
take_user(s, user)
write_record(s, rules, now)
local count, position = append_log(usage, 'usage', keep, now, lines)
redis.call('HSET', usage_totals, 'lines', position)
for i = 1, #sums, 2 do
  redis.call('HINCRBY', usage_totals, sums[i], sums[i + 1])
end
local reply = remember_operation(operations, now, { 1, s.created and 1 or 0, s.gen, s.revision, count, position })
index_session(s, before == 0 and usage, before == 0 and usage_totals)
count_totals(s.created and 1 or 0, 0, 0)
publish_change(rules, now, 'usage.appended', s.revision, 'entries', #lines, 'last', position)
return reply
