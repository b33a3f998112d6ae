-- index_session: the shard's lists, and the keys' expiry, follow the record. The rest are keys of the session that this mutation
-- may have made, or false.
local function index_session(s, ...)
  redis.call('ZADD', by_updated, s.updated_ms, id)
  if s.created then
    redis.call('ZADD', by_user, 0, s.user .. '\0' .. id)
  end
  if s.stamp then
    index_deadline(s)
  end
  if s.created then
    stamp_keys(s, record, operations, ...)
  elseif s.stamp then
    stamp_keys(s, record, transcript, operations, room_keys())
  else
    stamp_keys(s, ...)
  end
end
