-- upkeep.evict: removes a session to make room on a full server, if nobody has written to it since it was chosen. What is pinned, or
-- is leased right now, stays. One that is past its deadline expires. Frees before it writes.
--
-- KEYS
--   @session
--   lease  hash
-- ARGV
--   id               text
--   now_override_ms  integer
--   lease_token      integer  0: none
--   updated_ms       integer  where it stood in by-updated when it was chosen
--   dry_run          integer  1: only says what it would do
-- REPLY   evicted, expired, vanished, kept, pinned or leased; messages; bytes
-- ERRORS  SCLEASE
-- EMITS   session.evicted session.expired
local err = refuse_fenced()
if err then
  return err
end
local now = server_now_ms()
if tonumber(redis.call('ZSCORE', by_updated, id)) ~= updated_ms then
  return { 'kept', 0, 0 }
end
local s = salvage_session()
local outcome = s and 'evicted' or 'vanished'
if s and is_past(s, now) then
  outcome = 'expired'
elseif s then
  local leased = room_key('lease')
  local pinned, until_ms = redis.pcall('HGET', record, 'pinned'), redis.call('HGET', leased, 'until_ms')
  if pinned == '1' or is_held(until_ms, now, 86400000) then
    return { pinned == '1' and 'pinned' or 'leased', 0, 0 }
  end
end
s = s or { user = '', revision = 0, messages = 0, bytes = 0, fence = 0 }
if dry_run == 1 then
  return { outcome, s.messages, s.bytes }
end
local token = outcome == 'evicted' and take_token(s.fence) or 0
local written_ms = outcome == 'evicted' and tonumber(redis.pcall('HGET', record, 'written_ms')) or 0
if outcome == 'evicted' and now - math.max(updated_ms, written_ms) < 3600000 then
  -- Whoever wrote it just now, even if with an earlier time of his own, may send that once more.
  bury_operations()
end
if outcome == 'evicted' then
  remove_session(s, load_policy(), now, 'session.evicted')
else
  remove_session(s, load_policy(), now, 'session.expired')
end
if token > 0 or redis.call('EXISTS', tombstone) == 1 then
  leave_token(token)
  redis.call('PEXPIRE', tombstone, 3600000)
end
return { outcome, s.messages, s.bytes }
