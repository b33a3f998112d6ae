-- upkeep.view: a shard's totals, and what the records of all sessions count that were changed since a change, at one moment.
--
-- KEYS
--   totals  hash
--   feed    stream
-- ARGV
--   record_prefix  text     what stands before an escaped id in a record's key
--   after          integer  number of the change
--   limit          integer  most changes to look at, 500 at most
--   fields         integer  how many fields of the totals come first in `names`
--   names          text...  fields of the totals, then fields of records
-- REPLY   values first last counted; first and last: numbers of the changes that were looked at, 0 where there are none; counted: id and
--         counts of each session that they name, counts empty where its record is no hash
-- ERRORS  -
-- EMITS   -
local wanted, counters = {}, {}
for i, name in ipairs(names) do
  local list = i <= fields and wanted or counters
  list[#list + 1] = name
end
local changes = redis.call('XRANGE', feed, string.format('%.0f', after + 1), '+', 'COUNT', limit)
local counted, seen = {}, {}
for _, change in ipairs(changes) do
  local member = ''
  for i = 1, #change[2], 2 do
    member = change[2][i] == 'id' and change[2][i + 1] or member
  end
  if not seen[member] then
    seen[member] = true
    counted[#counted + 1] = { member, counters_of(member, counters) }
  end
end
local first = #changes > 0 and tonumber(string.match(changes[1][1], '^%d+')) or 0
local last = #changes > 0 and tonumber(string.match(changes[#changes][1], '^%d+')) or 0
return { redis.call('HMGET', totals, unpack(wanted)), first, last, counted }
