-- swap_messages: the transcript becomes the payloads, then the entries `kept`. New messages in front of kept ones get the last of
-- the numbers that the swap frees. The mutation's first write, denied to a full server, stands before this.
local function swap_messages(s, now, through, kept, kept_bytes, marks, payloads)
  local last_seq = s.seq
  redis.call('UNLINK', transcript)
  drop_sealed(s)
  if #kept > 0 then
    -- Numbers are used once more: who has read the old messages to seal them learns it from this.
    redis.call('HINCRBY', record, 'rewritten', 1)
    s.seq = through - #payloads
  end
  s.messages, s.bytes, s.first_seq, s.last_seq = 0, 0, 0, 0
  append_messages(s, now, marks, payloads)
  for _, entry in ipairs(kept) do
    redis.call('XADD', transcript, entry[1], entry[2][1], entry[2][2])
    s.last_seq = tonumber(string.match(entry[1], '^%d+'))
  end
  if #kept > 0 and s.messages == 0 then
    s.first_seq = tonumber(string.match(kept[1][1], '^%d+'))
  end
  s.seq = math.max(s.seq, last_seq)
  s.messages, s.bytes = s.messages + #kept, s.bytes + kept_bytes
end
