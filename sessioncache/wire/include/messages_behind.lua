-- messages_behind: the entries that a replacement up to `through` leaves where they are, 500 at most, and their bytes. An error
-- where the `count` new messages do not fit into the numbers up to there. No `through`: nothing is left.
local function messages_behind(s, through, count)
  if not through or through >= s.last_seq then
    return {}, 0
  end
  if count > through then
    return nil, nil, redis.error_reply('SCRANGE ' .. count .. ' messages do not fit into the sequence numbers up to ' .. through)
  end
  if s.sealed and through < s.sealed.last_seq then
    return nil, nil, behind_seam(s, through)
  end
  local kept = redis.call('XRANGE', transcript, through + 1, '+', 'COUNT', 501)
  if #kept > 500 then
    return nil, nil, redis.error_reply('SCRANGE more than 500 messages follow ' .. through .. '; name a later one')
  end
  local bytes = 0
  for _, entry in ipairs(kept) do
    bytes = bytes + #entry[2][2]
  end
  return kept, bytes
end
