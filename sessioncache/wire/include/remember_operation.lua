-- remember_operation: keeps the reply under its operation id, the last 16 of them, and answers it. A session that was sealed idle
-- has no list any more, and begins one.
local function remember_operation(key, reply)
  local length = redis.call('RPUSH', key, operation, pack_reply(reply))
  if length > 32 then
    redis.call('LPOP', key, 2)
  elseif length == 2 then
    stamp_as_record(key)
  end
  table.insert(reply, 1, '0')
  return reply
end
