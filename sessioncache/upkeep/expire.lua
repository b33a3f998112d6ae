-- upkeep.expire: removes a session whose deadline has passed, after looking again. A record that the server expired by itself
-- leaves only index entries behind; they go too. A session that was extended meanwhile stays. One that waits for the archive is
-- kept by the server for a week after its deadline, longer than sessions that no worker looks at.
--
-- KEYS
--   @session
--   lease  hash
-- ARGV
--   id               text
--   now_override_ms  integer
--   lease_token      integer  0: none
--   archived         integer  1: only if it was archived as it is
--   dry_run          integer  1: only says what it would do
-- REPLY   expired, vanished, kept or unarchived; messages; bytes
-- ERRORS  SCLEASE
-- EMITS   session.expired
local err = refuse_fenced()
if err then
  return err
end
local now = server_now_ms()
local s = salvage_session()
if s and not is_past(s, now) then
  if dry_run ~= 1 then
    index_deadline(s)
  end
  return { 'kept', 0, 0 }
end
if s and archived == 1 and redis.pcall('HGET', record, 'archived') ~= s.gen .. ' ' .. s.revision then
  local week = 604800000
  if dry_run ~= 1 and redis.call('PEXPIRETIME', record) < s.deadline_ms + week then
    stamp_keys({ gen = s.gen, deadline_ms = s.deadline_ms + week, ttl_ms = week }, record, transcript, operations, room_keys())
  end
  return { 'unarchived', 0, 0 }
end
local outcome = s and 'expired' or 'vanished'
if not s and not redis.call('ZSCORE', deadlines, id) then
  return { 'kept', 0, 0 }
end
s = s or { user = '', revision = 0, messages = 0, bytes = 0 }
if dry_run ~= 1 then
  remove_session(s, load_policy(), now, 'session.expired')
end
return { outcome, s.messages, s.bytes }
