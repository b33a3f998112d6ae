-- hold_number: where the newest entry of a room was removed, the record keeps its number, so that it is not given out again: a reader
-- who goes on behind it would miss the next one.
local function hold_number(order, room, number)
  if newest_number(order, room) < number then
    redis.call('HSET', record, 'x:' .. room, number)
  end
end
