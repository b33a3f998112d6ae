-- upkeep.forget: removes a dictionary from a shard, unless a chunk was made with it since somebody began to look whether any needs it.
--
-- KEYS
--   dictionaries  hash
--   totals        hash
--   lease         hash
-- ARGV
--   lease_token  integer  0: none
--   name         text     its hash
--   used         integer  how many chunks had been made with it by then
-- REPLY   1 if it was removed, else 0
-- ERRORS  SCLEASE
-- EMITS   -
local err = refuse_fenced()
if err then
  return err
end
if (tonumber(redis.call('HGET', totals, 'used:' .. name)) or 0) ~= used then
  return 0
end
redis.call('HDEL', totals, 'used:' .. name)
return redis.call('HDEL', dictionaries, name)
