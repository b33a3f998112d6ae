-- upkeep.release: gives a lease back, if it is still the holder's. The token stays, so that it goes on growing.
--
-- KEYS
--   lease  hash
-- ARGV
--   holder  text
--   token   integer
-- REPLY   1 if it was held, else 0
-- ERRORS  -
-- EMITS   -
local stored = redis.call('HMGET', lease, 'holder', 'token')
if stored[1] ~= holder or tonumber(stored[2]) ~= token then
  return 0
end
redis.call('HDEL', lease, 'holder', 'until_ms')
return 1
