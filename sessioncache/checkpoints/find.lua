-- checkpoints.find: the checkpoints of given ids that the sessions of one shard have. A row whose session is gone or past its
-- deadline is stepped over.
--
-- KEYS
--   links  zset
-- ARGV
--   record_prefix    text     what stands before an escaped id in a record's key
--   now_override_ms  integer
--   checkpoints      text...  ids
-- REPLY   item…; an item is checkpoint id, escaped session id, payload
-- ERRORS  -
-- EMITS   -
local now = server_now_ms()
local reply = {}
for _, checkpoint in ipairs(checkpoints) do
  local from = 'c\0' .. checkpoint
  for _, row in ipairs(redis.call('ZRANGEBYLEX', links, '[' .. from .. '\0', '(' .. from .. '\1', 'LIMIT', 0, 500)) do
    local member = string.sub(row, #from + 2)
    local payload = linked_entry(member, 'checkpoints', checkpoint, now)
    if payload then
      reply[#reply + 1] = { checkpoint, member, payload }
    end
  end
end
return reply
