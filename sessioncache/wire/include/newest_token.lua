-- newest_token: the highest fencing token known of the session: `known` (the record's), the lease's, or that of an incarnation
-- which was deleted within the hour.
local function newest_token(known)
  local leased = room_key('lease')
  local held = tonumber(redis.call('HGET', leased, 'token')) or 0
  return math.max(known, held, left_token())
end
