-- workspaces.list: one shard's members, of one workspace or of all, in the order of the shard's links.
--
-- KEYS
--   links  zset
-- ARGV
--   record_prefix    text     what stands before an escaped id in a record's key
--   now_override_ms  integer
--   start            text     bound of the rows to look at
--   stop             text     bound of the rows to look at
--   limit            integer  most rows to look at, 500 at most
-- REPLY   last item…; last: the row to go on behind, empty at the end; an item is workspace, session, value: escaped ids, and an
--         empty value where nobody sees the membership
-- ERRORS  -
-- EMITS   -
local now = server_now_ms()
local rows = redis.call('ZRANGEBYLEX', links, start, stop, 'LIMIT', 0, limit)
local reply = { #rows == limit and rows[#rows] or '' }
for _, row in ipairs(rows) do
  local parts = split_text(row, '\0')
  reply[#reply + 1] = { parts[2], parts[3], linked_entry(parts[3], 'workspaces', parts[2], now) or '' }
end
return reply
