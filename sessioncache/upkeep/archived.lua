-- upkeep.archived: notes that a session was archived as it is, unless it was changed since. Works on a full server, for it frees before
-- it writes.
--
-- KEYS
--   record  hash
--   lease   hash
-- ARGV
--   lease_token  integer  0: none
--   gen          text     incarnation that was archived
--   revision     integer  of it
-- REPLY   1, or 0 where it was changed since
-- ERRORS  SCLEASE
-- EMITS   -
local err = refuse_fenced()
if err then
  return err
end
local v = redis.call('HMGET', record, 'gen', 'revision')
if v[1] ~= gen or tonumber(v[2]) ~= revision then
  return 0
end
redis.call('HDEL', record, 'archived')
redis.call('HSET', record, 'archived', gen .. ' ' .. revision)
return 1
