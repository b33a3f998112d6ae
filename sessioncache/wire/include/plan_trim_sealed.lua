-- plan_trim_sealed: how many chunks, from number `from` on, hold nothing but excess, 100 at most, so that what follows does not begin with
-- a message that continues the one before it; a chunk whose place cannot be read stays, for nobody knows what it counts for. Answers
-- chunks, their messages and bytes, and whether there may be more; `messages` and `bytes` are those in front of them.
local function plan_trim_sealed(s, from, messages, bytes, is_excess)
  local sealed = room_key('sealed')
  local cut, cut_messages, cut_bytes, at = 0, messages, bytes, from
  local first_messages, first_bytes = messages, bytes
  local most = math.min(s.sealed.chunks, from + 100)
  while at < most do
    local place = chunk_place(sealed, at)
    if place.count == 0 or not is_excess(place, messages, bytes) then
      break
    end
    messages, bytes, at = messages + place.count, bytes + place.bytes, at + 1
    local following = at < s.sealed.chunks and chunk_place(sealed, at)
    local entry = not following and redis.call('XRANGE', transcript, '-', '+', 'COUNT', 1)[1]
    if (following and following.mark or entry and entry[2][1] or 'm') == 'm' then
      cut, cut_messages, cut_bytes = at - from, messages, bytes
    end
  end
  return cut, cut_messages - first_messages, cut_bytes - first_bytes, at == most
end
