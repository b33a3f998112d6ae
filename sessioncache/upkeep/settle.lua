-- upkeep.settle: corrects a shard's totals by how far a count found them off. The correction adds up with whatever others have
-- written since the count; another correction since then is told by the number of corrections, and nothing is done.
--
-- KEYS
--   totals  hash
--   lease   hash
-- ARGV
--   lease_token  integer  0: none
--   settled      integer  corrections so far, when the counting ended
--   lacking      text...  names of totals, each with what to add to it
-- REPLY   1, or 0 if somebody else has corrected them meanwhile
-- ERRORS  SCLEASE
-- EMITS   -
local err = refuse_fenced()
if err then
  return err
end
if (tonumber(redis.call('HGET', totals, 'settled')) or 0) ~= settled then
  return 0
end
-- A full server allows what stands behind a command that could have freed something.
redis.call('HDEL', totals, 'nothing')
redis.call('HINCRBY', totals, 'settled', 1)
for i = 1, #lacking, 2 do
  redis.call('HINCRBY', totals, lacking[i], lacking[i + 1])
end
return 1
