-- upkeep.unlink: removes rows of the shard's links whose entry the session does not have, be it that the session is gone. A row of a
-- kind that this release does not know stays.
--
-- KEYS
--   @session
--   lease  hash
-- ARGV
--   id           text
--   lease_token  integer  0: none
--   dry_run      integer  1: only counts them
--   rows         text...  rows that name the session, 500 at most
-- REPLY   rows removed
-- ERRORS  SCLEASE
-- EMITS   -
local err = refuse_fenced()
if err then
  return err
end
local removed = 0
for _, row in ipairs(rows) do
  if not has_linked(row) then
    removed = removed + (dry_run == 1 and 1 or redis.call('ZREM', links, row))
  end
end
return removed
