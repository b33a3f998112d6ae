-- sealed_window: the chunks, each behind its place, that hold the messages of a window that are sealed, `limit` of them counted from
-- one of its ends; a chunk or two more where the window begins or ends inside one.
local function sealed_window(s, start, stop, limit, newest)
  local last = math.min(stop or s.last_seq, s.sealed.last_seq)
  local in_tail = newest == 1 and (not stop or stop >= s.last_seq) and tail_length(s) or 0
  if limit <= in_tail or start > last or last < s.first_seq then
    return {}
  end
  local sealed = room_key('sealed')
  local step = newest == 1 and -1 or 1
  local from = find_chunk(sealed, s.sealed.chunks, newest == 1 and last or start)
  local at, found = from, in_tail
  while true do
    local place = chunk_place(sealed, at)
    if place.first_seq >= start and place.last_seq <= last then
      found = found + place.count
    end
    local reached = (newest == 1 and place.first_seq <= start) or (newest ~= 1 and place.last_seq >= last)
    if found >= limit or reached or at + step < 0 or at + step >= s.sealed.chunks then
      break
    end
    at = at + step
  end
  return redis.call('LRANGE', sealed, 2 * math.min(from, at), 2 * math.max(from, at) + 1)
end
