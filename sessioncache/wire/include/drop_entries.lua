-- drop_entries: removes entries from a room, and their rows from the shard's links. Answers how many entries are left.
local function drop_entries(items, order, room, kind, dropped)
  local number = newest_number(order, room)
  for _, entry in ipairs(dropped) do
    redis.call('HDEL', items, entry)
    redis.call('ZREM', order, entry)
    if kind ~= '' then
      redis.call('ZREM', links, kind .. '\0' .. entry .. '\0' .. id)
    end
  end
  hold_number(order, room, number)
  return redis.call('ZCARD', order)
end
