-- read_log: entries of a log between two positions, both included, oldest first: `limit` of them, from the end with `newest` 1.
-- Answers how many there are, how many were dropped, the position of the first entry answered, and the entries; or an error.
local function read_log(log, room, start, stop, limit, newest)
  local count = redis.call('LLEN', log)
  local err = refuse_room(room, count)
  if err then
    return nil, err
  end
  local dropped = tonumber(redis.call('HGET', record, 'x:' .. room)) or 0
  local first = math.max((start or 1) - dropped, 1)
  local last = math.min((stop or count + dropped) - dropped, count)
  if newest == 1 then
    first = math.max(first, last - limit + 1)
  else
    last = math.min(last, first + limit - 1)
  end
  local entries = first <= last and redis.call('LRANGE', log, first - 1, last - 1) or {}
  return { count, dropped, #entries > 0 and first + dropped or 0, entries }
end
