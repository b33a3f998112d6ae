-- bury_operations: the operation ids of a session that is about to be removed become its tombstone, so that late repeats are known;
-- those of an earlier incarnation that was removed within the hour stay known, too.
local function bury_operations()
  if redis.call('EXISTS', tombstone) == 0 then
    if redis.call('EXISTS', operations) == 1 then
      redis.call('RENAME', operations, tombstone)
    end
    return
  end
  -- A full server allows LPOP to be first.
  local kept = redis.call('LPOP', operations, 32)
  if kept and #kept > 0 then
    local excess = redis.call('RPUSH', tombstone, unpack(kept)) - 32
    if excess > 0 then
      redis.call('LPOP', tombstone, excess)
    end
  end
end
