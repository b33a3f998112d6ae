-- clear_vanished: what is left in the shard's lists of a session that the server expired by itself, with no worker running,
-- goes away. Its messages stay in the totals until they are reconciled: nobody knows any more how many there were.
local function clear_vanished(rules, now)
  if redis.call('ZSCORE', deadlines, id) then
    remove_session({ user = '', revision = 0, messages = 0, bytes = 0 }, rules, now, 'session.expired')
  end
end
