-- upkeep.settle: corrects a shard's totals by how far a count found them off. The correction adds up with whatever others have
-- written since the count; another correction since then is told by the number of corrections, and nothing is done. A total that
-- is no number begins at 0 first; the number of the newest change at that of the feed.
--
-- KEYS
--   totals  hash
--   feed    stream
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
-- A full server allows what stands behind a command that could have freed something.
redis.call('HDEL', totals, 'nothing')
local function mend(name)
  local tried = redis.pcall('HINCRBY', totals, name, 0)
  if type(tried) == 'table' and tried.err then
    local last = name == 'feed_seq' and redis.call('XREVRANGE', feed, '+', '-', 'COUNT', 1)[1]
    redis.call('HSET', totals, name, last and string.match(last[1], '^%d+') or 0)
  end
end
mend('settled')
if tonumber(redis.call('HGET', totals, 'settled')) ~= settled then
  return 0
end
redis.call('HINCRBY', totals, 'settled', 1)
for i = 1, #lacking, 2 do
  mend(lacking[i])
  redis.call('HINCRBY', totals, lacking[i], lacking[i + 1])
end
return 1
