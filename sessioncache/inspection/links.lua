-- inspection.links: whether rows are among a shard's links, and whether the session has what they say, at one moment.
--
-- KEYS
--   @session
-- ARGV
--   id    text
--   rows  text...  rows that name the session, 500 at most
-- REPLY   a number for each: 1 where the row is there, and 2 more where the session has what it says
-- ERRORS  -
-- EMITS   -
local states = {}
for i, row in ipairs(rows) do
  states[i] = (redis.call('ZSCORE', links, row) and 1 or 0) + (has_linked(row) and 2 or 0)
end
return states
