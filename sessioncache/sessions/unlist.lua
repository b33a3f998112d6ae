-- sessions.unlist: removes what a shard's lists still say of a session of which nothing is there any more.
--
-- KEYS
--   @session
-- ARGV
--   id    text
--   rows  text...  rows of by_user and links that name it
-- REPLY   rows removed; 0 where something of the session is there
-- ERRORS  -
-- EMITS   -
if salvage_session() then
  return 0
end
local removed = redis.call('ZREM', by_updated, id) + redis.call('ZREM', deadlines, id)
if #rows > 0 then
  removed = removed + redis.call('ZREM', by_user, unpack(rows)) + redis.call('ZREM', links, unpack(rows))
end
return removed
