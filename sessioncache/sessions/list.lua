-- sessions.list: one shard's part of a list by updated_at, after a position. Past or vanished sessions are stepped over.
--
-- KEYS
--   by_updated  zset
-- ARGV
--   record_prefix    text     what stands before an escaped id in a record's key
--   now_override_ms  integer
--   newest           integer  1: newest first
--   after_score      integer  position to go on after; empty: from the start
--   after_member     text     escaped id at that position
--   limit            integer  most index entries to look at, 500 at most
--   labels           text...  fields of labels to show
-- REPLY   done last_score last_member item…; an item is escaped id, then the fields of a summary
-- ERRORS  -
-- EMITS   -
local now = server_now_ms()
local start, found = 0, nil
if newest == 1 then
  if after_score then
    start = redis.call('ZCARD', by_updated) - rank_after(by_updated, after_score, after_member, false)
  end
  found = redis.call('ZRANGE', by_updated, start, start + limit - 1, 'REV', 'WITHSCORES')
else
  if after_score then
    start = rank_after(by_updated, after_score, after_member, true)
  end
  found = redis.call('ZRANGE', by_updated, start, start + limit - 1, 'WITHSCORES')
end
local reply = { #found < limit * 2 and 1 or 0, found[#found] or '', found[#found - 1] or '' }
for i = 1, #found, 2 do
  local item = summary_of(found[i], now, labels)
  if item then
    reply[#reply + 1] = { item[1], found[i + 1], item[2] }
  end
end
return reply
