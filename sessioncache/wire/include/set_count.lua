-- set_count: the record, and the shard's totals, take the number of entries that a room has now.
local function set_count(room, count)
  local before = tonumber(redis.call('HGET', record, 'n:' .. room)) or 0
  if count ~= before then
    redis.call('HSET', record, 'n:' .. room, count)
    redis.call('HINCRBY', totals, room, count - before)
  end
end
