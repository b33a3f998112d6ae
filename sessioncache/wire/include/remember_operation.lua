-- remember_operation: keeps the reply under its operation id, the last 16 of them, and answers it.
local function remember_operation(key, reply)
  if redis.call('RPUSH', key, operation, pack_reply(reply)) > 32 then
    redis.call('LPOP', key, 2)
  end
  table.insert(reply, 1, '0')
  return reply
end
