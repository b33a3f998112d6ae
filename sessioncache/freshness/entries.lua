-- freshness.entries: what one shard's sessions say about entries, or about the entries of a file, in the order of the shard's links.
--
-- KEYS
--   links  zset
-- ARGV
--   record_prefix    text     what stands before an escaped id in a record's key
--   now_override_ms  integer
--   limit            integer  most rows to look at, 500 at most
--   bounds           text...  two bounds of rows for each question
-- REPLY   done last item…; done: how many questions are answered whole, last: the row behind which the next one goes on, empty:
--         from its start; an item is question, entry, session, value: escaped ids
-- ERRORS  -
-- EMITS   -
local now = server_now_ms()
local reply, left = { 0, '' }, limit
for i = 1, #bounds, 2 do
  local rows = redis.call('ZRANGEBYLEX', links, bounds[i], bounds[i + 1], 'LIMIT', 0, left)
  for _, row in ipairs(rows) do
    local parts = split_text(row, '\0')
    local entry, session = parts[#parts - 1], parts[#parts]
    local value = linked_entry(session, 'sources', entry, now)
    if value then
      reply[#reply + 1] = { (i - 1) / 2, entry, session, value }
    end
  end
  if #rows == left then
    reply[2] = rows[#rows]
    return reply
  end
  left = left - #rows
  reply[1] = (i + 1) / 2
end
return reply
