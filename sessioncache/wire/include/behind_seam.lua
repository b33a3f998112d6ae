-- behind_seam: the error for a replacement up to a number inside the sealed part: what follows it has to be opened first, if it is
-- no more than a replacement may leave.
local function behind_seam(s, through)
  local sealed = room_key('sealed')
  local behind = tail_length(s)
  for at = 1, s.sealed.chunks do
    local place = chunk_place(sealed, -at)
    if place.first_seq <= through then
      break
    end
    behind = behind + place.count
    if behind > 500 then
      return redis.error_reply('SCRANGE more than 500 messages follow ' .. through .. '; name a later one')
    end
  end
  return redis.error_reply('SCSEALED ' .. math.max(through + 1, s.first_seq) .. ' the messages from there on are sealed')
end
