-- append_log: adds payloads to a log of the session, each behind the server's time and a space, and drops the oldest where the
-- policy keeps fewer, 1000 at most. The record counts what is there and what was dropped, so that positions never change.
-- Answers how many entries there are, and the position of the last.
local function append_log(log, room, keep, now, payloads)
  local count
  for _, payload in ipairs(payloads) do
    count = redis.call('RPUSH', log, now .. ' ' .. payload)
  end
  local dropped = tonumber(redis.call('HGET', record, 'x:' .. room)) or 0
  local surplus = keep > 0 and math.min(count - keep, 1000) or 0
  if surplus > 0 then
    redis.call('LTRIM', log, surplus, -1)
    dropped, count = dropped + surplus, count - surplus
    redis.call('HSET', record, 'x:' .. room, dropped)
  end
  set_count(room, count)
  return count, dropped + count
end
