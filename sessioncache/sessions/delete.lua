-- sessions.delete: removes the whole session, a torn one too, and its lease; its operation ids and its highest fencing token
-- stay behind in a tombstone for an hour.
--
-- KEYS
--   @session
-- ARGV
--   @write
-- REPLY   repeated gen; nil where there is no session
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE
-- EMITS   session.deleted session.expired
local probe = redis.pcall('LPOS', operations, operation)
if type(probe) == 'table' and probe.err then
  redis.call('UNLINK', operations)
end
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local rules = load_policy()
local s = salvage_session()
if not s then
  clear_vanished(rules, now)
  return false
end
if is_past(s, now) then
  remove_session(s, rules, now, 'session.expired')
  return false
end
local err = refuse_stale(s)
if err then
  return err
end
local token = take_token(s.fence)
bury_operations()
remove_session(s, rules, now, 'session.deleted')
local reply = remember_operation(tombstone, now, { s.gen })
leave_token(token)
redis.call('PEXPIRE', tombstone, 3600000)
return reply
