-- sessions.by_user: one shard's sessions of one user, in the order of their ids. Where a record expired by itself, its entry may
-- outlive it until a worker comes by; if somebody else has made a session of that id since, that one is not shown.
--
-- KEYS
--   by_user  zset
-- ARGV
--   record_prefix    text     what stands before an escaped id in a record's key
--   now_override_ms  integer
--   user             text
--   after_member     text     escaped id to go on after; empty: from the start
--   limit            integer  most index entries to look at, 500 at most
--   labels           text...  fields of labels to show
-- REPLY   next item…; next is the escaped id to go on after, empty at the end; an item is escaped id, score, summary fields
-- ERRORS  -
-- EMITS   -
local now = server_now_ms()
local found = redis.call('ZRANGEBYLEX', by_user, '(' .. user .. '\0' .. after_member, '(' .. user .. '\1', 'LIMIT', 0, limit)
local reply = { '' }
for _, entry in ipairs(found) do
  local member = string.sub(entry, #user + 2)
  local item = summary_of(member, now, labels)
  if item and (item[2][8] or user) == user then
    reply[#reply + 1] = { item[1], item[2][6] or '0', item[2] }
  end
  reply[1] = member
end
if #found < limit then
  reply[1] = ''
end
return reply
