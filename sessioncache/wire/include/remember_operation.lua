-- remember_operation: keeps the reply under its operation id, and answers it.
local function remember_operation(key, now, reply)
  keep_reply(key, pack_reply(now, reply))
  table.insert(reply, 1, '0')
  return reply
end
