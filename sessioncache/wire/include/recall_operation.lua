-- recall_operation: the first reply to this operation id, marked as repeated, or nil if it was not seen. Looks at the session
-- and at the tombstone, so that a late repeat neither doubles a write nor brings a deleted session back.
local function recall_operation()
  for _, key in ipairs({ operations, tombstone }) do
    local position = redis.call('LPOS', key, operation)
    if position then
      local packed = redis.call('LINDEX', key, position + 1)
      -- WAIT speaks only of what its own connection wrote, so a repeat writes, too. A full server may refuse it.
      redis.pcall('LSET', key, position + 1, packed)
      local reply, at = { '1' }, 1
      while at <= #packed do
        local length, start = string.match(packed, '^(%d+):()', at)
        reply[#reply + 1] = string.sub(packed, start, start + length - 1)
        at = start + length
      end
      return reply
    end
  end
end
