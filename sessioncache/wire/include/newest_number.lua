-- newest_number: the highest number that an entry of a room has, or had before it was removed.
local function newest_number(order, room)
  local newest = redis.call('ZRANGE', order, -1, -1, 'WITHSCORES')
  return math.max(tonumber(newest[2]) or 0, tonumber(redis.call('HGET', record, 'x:' .. room)) or 0)
end
