-- upkeep.reindex: makes a shard's lists agree with one record, and says what was wrong. Entries of a session that is gone are
-- removed; a torn session is reported, not touched.
--
-- KEYS
--   @session
--   lease  hash
-- ARGV
--   id               text
--   now_override_ms  integer
--   lease_token      integer  0: none
--   listed_user      text     user under which the id was found in by-user
--   listed           integer  1: the id was found there
--   dry_run          integer  1: only says what it would repair
-- REPLY   state, of what is sealed the messages, their bytes and what these take now, then what was repaired: by-updated, by-user,
--         deadlines; state is live, gone or torn
-- ERRORS  SCLEASE
-- EMITS   -
local err = refuse_fenced()
if err then
  return err
end
local s
s, err = load_session()
if err or (s and (refuse_torn(s) or refuse_torn_rooms())) then
  return { 'torn', 0, 0, 0 }
end
local repaired = { s and 'live' or 'gone', 0, 0, 0 }
if s and s.sealed then
  repaired[2], repaired[3], repaired[4] = s.sealed.messages, sealed_sizes(s)
end
local found = #repaired
local function repair(name, wrong)
  if wrong then
    repaired[#repaired + 1] = name
  end
end
local updated_ms, deadline_ms = redis.call('ZSCORE', by_updated, id), redis.call('ZSCORE', deadlines, id)
local listed_entry = listed_user .. '\0' .. id
if not s then
  repair('by-updated', updated_ms)
  repair('deadlines', deadline_ms)
  repair('by-user', listed == 1 and redis.call('ZSCORE', by_user, listed_entry))
  if dry_run ~= 1 then
    redis.call('ZREM', by_updated, id)
    redis.call('ZREM', deadlines, id)
    if listed == 1 then
      redis.call('ZREM', by_user, listed_entry)
    end
  end
  return repaired
end
local entry = s.user .. '\0' .. id
local misplaced = listed == 1 and listed_user ~= s.user and redis.call('ZSCORE', by_user, listed_entry)
repair('by-updated', tonumber(updated_ms) ~= s.updated_ms)
repair('deadlines', (tonumber(deadline_ms) or 0) ~= s.deadline_ms)
repair('by-user', not redis.call('ZSCORE', by_user, entry) or misplaced)
if dry_run ~= 1 and #repaired > found then
  -- A full server allows what stands behind a command that could have freed something.
  redis.call('ZREM', by_updated, id)
  redis.call('ZADD', by_updated, s.updated_ms, id)
  index_deadline(s)
  redis.call('ZADD', by_user, 0, entry)
  if misplaced then
    redis.call('ZREM', by_user, listed_entry)
  end
end
return repaired
