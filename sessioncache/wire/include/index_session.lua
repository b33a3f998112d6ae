-- index_session: the shard's lists, and the keys' expiry, follow the record. `fresh` is a key of the session that this
-- mutation may have made.
local function index_session(s, fresh)
  redis.call('ZADD', by_updated, s.updated_ms, id)
  if s.created then
    redis.call('ZADD', by_user, 0, s.user .. '\0' .. id)
  end
  if s.stamp then
    index_deadline(s)
    stamp_keys(s, record, transcript, operations)
  elseif fresh then
    stamp_keys(s, fresh)
  end
end
