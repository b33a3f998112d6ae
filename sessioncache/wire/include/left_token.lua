-- left_token: the highest fencing token of a session that was deleted within the hour, or 0. The tombstone has it as if it were the
-- reply to an operation `fence`; operation ids are longer.
local function left_token()
  local position = redis.call('LPOS', tombstone, 'fence')
  return position and tonumber(unpack_parts(redis.call('LINDEX', tombstone, position + 1))[2]) or 0
end
