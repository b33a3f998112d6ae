-- put_entries: puts entries into a room, each under its id: a new one at the end, a known one in its place; an empty payload
-- removes one. Answers how many there are now.
local function put_entries(items, order, room, given)
  local sets, clears = split_pairs(given)
  local number = newest_number(order, room)
  for i = 1, #sets, 2 do
    redis.call('HSET', items, sets[i], sets[i + 1])
    number = number + redis.call('ZADD', order, 'NX', number + 1, sets[i])
  end
  for _, entry in ipairs(clears) do
    redis.call('HDEL', items, entry)
    redis.call('ZREM', order, entry)
  end
  hold_number(order, room, number)
  return redis.call('ZCARD', order)
end
