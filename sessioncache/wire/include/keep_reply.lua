-- keep_reply: keeps a reply, as one string, under its operation id, the last 16 of them. A session that was sealed idle has no list any
-- more, and begins one.
local function keep_reply(key, packed)
  local length = redis.call('RPUSH', key, operation, packed)
  if length > 32 then
    redis.call('LPOP', key, 2)
  elseif length == 2 then
    stamp_as_record(key)
  end
end
