-- upkeep.expire: removes a session whose deadline has passed, after looking again. A record that the server expired by itself
-- leaves only index entries behind; they go too. A session that was extended meanwhile stays.
--
-- KEYS
--   @session
--   lease  hash
-- ARGV
--   id               text
--   now_override_ms  integer
--   lease_token      integer  0: none
-- REPLY   expired, vanished or kept; messages; bytes
-- ERRORS  SCLEASE
-- EMITS   session.expired
local err = refuse_fenced()
if err then
  return err
end
local now = server_now_ms()
local s = salvage_session()
if s and not is_past(s, now) then
  index_deadline(s)
  return { 'kept', 0, 0 }
end
local outcome = s and 'expired' or 'vanished'
if not s and not redis.call('ZSCORE', deadlines, id) then
  return { 'kept', 0, 0 }
end
s = s or { user = '', revision = 0, messages = 0, bytes = 0 }
remove_session(s, load_policy(), now, 'session.expired')
return { outcome, s.messages, s.bytes }
