-- traces.append: adds steps to the end of a session's trace. Creates the session where there is none.
--
-- KEYS
--   @session
--   traces  list
-- ARGV
--   @write
--   user      text     whose session it is, if this call creates it; empty: the default user
--   payloads  text...  the steps
-- REPLY   repeated created gen revision count position; the position is the last step's
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
-- EMITS   traces.appended session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
local keep = tonumber(redis.call('HGET', policy, 'keep_traces')) or 0
local before = redis.call('LLEN', traces)
err = err or refuse_log(rules, 'traces', before, keep, #payloads)
if err then
  return err
end
take_user(s, user)
write_record(s, rules, now)
local count, position = append_log(traces, 'traces', keep, now, payloads)
local reply = remember_operation(operations, now, { s.created and 1 or 0, s.gen, s.revision, count, position })
index_session(s, before == 0 and traces)
count_totals(s.created and 1 or 0, 0, 0)
publish_change(rules, now, 'traces.appended', s.revision, 'entries', #payloads, 'last', position)
return reply
