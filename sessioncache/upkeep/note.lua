-- upkeep.note: keeps how far a job has come in a shard, beside its lease. Works on a full server, for it frees before it writes.
--
-- KEYS
--   lease  hash
-- ARGV
--   lease_token  integer  0: none
--   given        text...  names and values; an empty value removes one
-- REPLY   1
-- ERRORS  SCLEASE
-- EMITS   -
local err = refuse_fenced()
if err then
  return err
end
local sets, clears = split_pairs(given)
redis.call('HDEL', lease, 'noted', unpack(clears))
if #sets > 0 then
  redis.call('HSET', lease, unpack(sets))
end
return 1
