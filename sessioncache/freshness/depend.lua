-- freshness.depend: writes down which symbols depend on symbols of this shard; what is there stays.
--
-- KEYS
--   dependents  zset
-- ARGV
--   rows  text...  name, file, then file, name and type of the symbol that depends on it, escaped, with NULs between; 500 at most
-- REPLY   how many are new
-- ERRORS  -
-- EMITS   -
local new = 0
for _, row in ipairs(rows) do
  new = new + redis.call('ZADD', dependents, 0, row)
end
return new
