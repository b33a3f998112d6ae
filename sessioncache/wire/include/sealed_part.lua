-- sealed_part: what the record says of the transcript's sealed part: how many chunks and messages it has, and its last sequence
-- number. A text that says something else counts no chunk, and so is torn.
local function sealed_part(text)
  local chunks, messages, last_seq = string.match(text, '^(%d+) (%d+) (%d+)$')
  return { chunks = tonumber(chunks) or 0, messages = tonumber(messages) or 0, last_seq = tonumber(last_seq) or 0 }
end
