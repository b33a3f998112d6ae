-- trim_sealed: removes the oldest chunks that hold nothing but excess, 100 at most, and never so that what follows begins with a
-- message that continues the one before it; a chunk whose place cannot be read stays, for nobody knows what it counts for. Answers
-- messages and bytes removed, and whether there may be more to remove.
local function trim_sealed(s, is_excess)
  local sealed = room_key('sealed')
  local cut, cut_messages, cut_bytes = 0, 0, 0
  local messages, bytes, at = 0, 0, 0
  local most = math.min(s.sealed.chunks, 100)
  while at < most do
    local place = chunk_place(sealed, at)
    if place.count == 0 or not is_excess(place, messages, bytes) then
      break
    end
    messages, bytes, at = messages + place.count, bytes + place.bytes, at + 1
    local following = at < s.sealed.chunks and chunk_place(sealed, at)
    local entry = not following and redis.call('XRANGE', transcript, '-', '+', 'COUNT', 1)[1]
    if (following and following.mark or entry and entry[2][1] or 'm') == 'm' then
      cut, cut_messages, cut_bytes = at, messages, bytes
    end
  end
  if cut > 0 then
    redis.call('LTRIM', sealed, 2 * cut, -1)
    s.sealed.chunks, s.sealed.messages = s.sealed.chunks - cut, s.sealed.messages - cut_messages
    s.messages, s.bytes = s.messages - cut_messages, s.bytes - cut_bytes
    s.first_seq = s.sealed.chunks > 0 and chunk_place(sealed, 0).first_seq or tail_start()
    s.last_seq = s.messages > 0 and s.last_seq or 0
    note_sealed(s)
  end
  return cut_messages, cut_bytes, cut > 0 and (at == most)
end
