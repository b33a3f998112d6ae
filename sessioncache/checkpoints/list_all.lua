-- checkpoints.list_all: ids of the checkpoints that the sessions of one shard have, in byte order. Only names: some may be of
-- sessions that are gone or past their deadline, which checkpoints.find steps over.
--
-- KEYS
--   links  zset
-- ARGV
--   after  text     id to go on after; empty: from the start
--   limit  integer  most rows to look at, 500 at most
-- REPLY   done id…
-- ERRORS  -
-- EMITS   -
local from = after == '' and '[c\0' or '(c\0' .. after .. '\1'
local found = redis.call('ZRANGEBYLEX', links, from, '(c\1', 'LIMIT', 0, limit)
local reply = { #found < limit and 1 or 0 }
for _, row in ipairs(found) do
  local checkpoint = string.sub(row, 3, string.find(row, '\0', 3, true) - 1)
  if checkpoint ~= reply[#reply] then
    reply[#reply + 1] = checkpoint
  end
end
return reply
