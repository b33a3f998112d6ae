-- append_messages: adds payloads to the transcript's end and counts them in `s`; answers the number of bytes added.
-- A payload marked 'c' continues what stands before it (a tool's result), so that nothing trims between the two: its field is
-- named c instead of m.
local function append_messages(s, now, marks, payloads)
  local added = 0
  for i, payload in ipairs(payloads) do
    s.seq = s.seq + 1
    redis.call('XADD', transcript, s.seq .. '-' .. now, string.sub(marks, i, i), payload)
    added = added + #payload
  end
  if #payloads > 0 then
    if s.messages == 0 then
      s.first_seq = s.seq - #payloads + 1
    end
    s.last_seq = s.seq
    s.messages = s.messages + #payloads
    s.bytes = s.bytes + added
  end
  return added
end
