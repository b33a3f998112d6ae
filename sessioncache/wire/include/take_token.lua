-- take_token: takes the lease of a session away that is about to be deleted, and the token out of an earlier tombstone; answers the
-- highest token known.
local function take_token(known)
  local token = newest_token(known)
  local left = redis.call('LPOS', tombstone, 'fence')
  if left then
    redis.call('LREM', tombstone, 1, redis.call('LINDEX', tombstone, left + 1))
    redis.call('LREM', tombstone, 1, 'fence')
  end
  local leased = room_key('lease')
  redis.call('UNLINK', leased)
  return token
end
