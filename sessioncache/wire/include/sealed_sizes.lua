-- sealed_sizes: about how many bytes a session's sealed messages had, and how many they take now, by 16 of its chunks at most.
local function sealed_sizes(s)
  local sealed = room_key('sealed')
  local step = math.max(1, math.floor(s.sealed.chunks / 16))
  local before, now, seen = 0, 0, 0
  for at = 0, math.min(s.sealed.chunks, 16 * step) - 1, step do
    before, now, seen = before + chunk_place(sealed, at).bytes, now + #(redis.call('LINDEX', sealed, 2 * at + 1) or ''), seen + 1
  end
  local share = s.sealed.chunks / math.max(seen, 1)
  return math.floor(before * share), math.floor(now * share)
end
