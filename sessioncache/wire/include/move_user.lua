-- move_user: an existing session's owner becomes `owner`, in the record and in the shard's list by user. Empty: no change.
local function move_user(s, owner)
  if owner == '' or owner == s.user then
    return
  end
  redis.call('ZREM', by_user, s.user .. '\0' .. id)
  redis.call('ZADD', by_user, 0, owner .. '\0' .. id)
  redis.call('HSET', record, 'user', owner)
  s.user = owner
end
