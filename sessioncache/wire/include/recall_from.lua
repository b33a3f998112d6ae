-- recall_from: the first reply to this operation id that a list of operations remembers, marked as repeated, or nil.
local function recall_from(key)
  local position = redis.call('LPOS', key, operation)
  if not position then
    return nil
  end
  local packed = redis.call('LINDEX', key, position + 1)
  -- WAIT speaks only of what its own connection wrote, so a repeat writes, too. A full server may refuse it.
  redis.pcall('LSET', key, position + 1, packed)
  local reply = { '1' }
  if string.sub(packed, 1, 1) == ' ' then
    for word in string.gmatch(packed, '%S+') do
      reply[#reply + 1] = word
    end
    return reply
  end
  for _, part in ipairs(unpack_parts(packed)) do
    reply[#reply + 1] = part
  end
  return reply
end
