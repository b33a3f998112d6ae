-- namespaces.open: claims a namespace that nobody has used, and answers what it was made with. Writes only the first time.
--
-- KEYS
--   config  hash
-- ARGV
--   shards  integer  shard count of the caller
--   schema  integer  schema version of the caller
--   claim   integer  0: a namespace that is not there is not made
-- REPLY   shards schema
-- ERRORS  SCCONFIG
-- EMITS   -
local stored = redis.call('HMGET', config, 'shards', 'schema')
if not stored[1] and claim == 0 then
  return redis.error_reply('SCCONFIG there is no such namespace (any more)')
elseif not stored[1] then
  redis.call('HSET', config, 'shards', shards, 'schema', schema)
elseif tonumber(stored[1]) ~= shards then
  return redis.error_reply('SCCONFIG the namespace has ' .. stored[1] .. ' shards, this cache is set to ' .. shards ..
    ': set SESSIONCACHE_SHARDS=' .. stored[1] .. ' (a shard count is fixed when a namespace is created)')
elseif (tonumber(stored[2]) or 0) > schema then
  return redis.error_reply('SCCONFIG the namespace has schema ' .. stored[2] .. ', this release knows ' .. schema ..
    ': upgrade sessioncache')
end
return redis.call('HMGET', config, 'shards', 'schema')
