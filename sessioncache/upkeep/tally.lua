-- upkeep.tally: keeps what a run has counted in a shard, behind what is kept already, or forgets all of it. Whoever does not know
-- all that is kept keeps nothing: two runs would mix what they counted. Works on a full server, for it frees before it writes.
--
-- KEYS
--   lease  hash
--   tally  list
-- ARGV
--   lease_token  integer  0: none
--   length       integer  how many parts are kept as far as the caller knows; -1: whatever there is gives way first
--   expires_ms   integer
--   part         text     empty: all is forgotten
-- REPLY   1, or 0 where somebody else has kept something, or it has expired
-- ERRORS  SCLEASE
-- EMITS   -
local err = refuse_fenced()
if err then
  return err
end
local kept = redis.call('LLEN', tally)
if part ~= '' and kept == length + 1 and redis.call('LINDEX', tally, -1) == part then
  -- It was sent again, for its answer was lost.
  return 1
end
if length >= 0 and kept ~= length then
  return 0
end
redis.call('HDEL', lease, 'noted')
if length < 0 or part == '' then
  redis.call('UNLINK', tally)
end
if part ~= '' then
  redis.call('RPUSH', tally, part)
  redis.call('PEXPIRE', tally, expires_ms)
end
return 1
