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
local function repair(name, wrong)
  if wrong then
    repaired[#repaired + 1] = name
  end
end
if not s then
  repair('by-updated', redis.call('ZREM', by_updated, id) == 1)
  repair('deadlines', redis.call('ZREM', deadlines, id) == 1)
  repair('by-user', listed == 1 and redis.call('ZREM', by_user, listed_user .. '\0' .. id) == 1)
  return repaired
end
repair('by-updated', tonumber(redis.call('ZSCORE', by_updated, id)) ~= s.updated_ms)
redis.call('ZADD', by_updated, s.updated_ms, id)
repair('deadlines', (tonumber(redis.call('ZSCORE', deadlines, id)) or 0) ~= s.deadline_ms)
index_deadline(s)
local missing = redis.call('ZADD', by_user, 0, s.user .. '\0' .. id) == 1
local misplaced = listed == 1 and listed_user ~= s.user and redis.call('ZREM', by_user, listed_user .. '\0' .. id) == 1
repair('by-user', missing or misplaced)
return repaired
