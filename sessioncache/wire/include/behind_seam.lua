-- behind_seam: the error for a replacement up to a number inside the sealed part: what follows it has to be opened first, if it is
-- no more than a replacement may leave. A chunk with gaps that the number falls into is not counted.
local function behind_seam(s, through)
  local sealed = room_key('sealed')
  local behind, at = tail_length(s), s.sealed.chunks - 1
  while behind <= 500 and at >= 0 do
    local place = chunk_place(sealed, at)
    if place.first_seq > through then
      behind = behind + place.count
    else
      local without_gaps = place.last_seq - place.first_seq + 1 == place.count
      behind, at = behind + (without_gaps and math.max(place.last_seq - through, 0) or 0), 0
    end
    at = at - 1
  end
  if behind > 500 then
    return redis.error_reply('SCRANGE more than 500 messages follow ' .. through .. '; name a later one')
  end
  return redis.error_reply('SCSEALED ' .. math.max(through + 1, s.first_seq) .. ' the messages from there on are sealed')
end
