-- recall_from: the first reply to this operation id that a list of operations remembers, marked as repeated, or nil.
local function recall_from(key)
  local position = redis.call('LPOS', key, operation)
  if not position then
    return nil
  end
  local packed = redis.call('LINDEX', key, position + 1)
  -- WAIT speaks only of what its own connection wrote, so a repeat writes, too. A full server may refuse it.
  redis.pcall('LSET', key, position + 1, packed)
  local reply = unpack_reply(packed)
  table.insert(reply, 1, '1')
  return reply
end
