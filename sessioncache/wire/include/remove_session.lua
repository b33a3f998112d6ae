-- remove_session: takes every key, index entry and total of the session away at once, and says so in the feed. What a full server
-- allows comes first, so that it can be emptied.
local function remove_session(s, rules, now, kind)
  redis.call('ZREM', by_updated, id)
  forget_rooms()
  redis.call('UNLINK', record, transcript, operations, room_keys())
  redis.call('ZREM', deadlines, id)
  redis.call('ZREM', by_user, s.user .. '\0' .. id)
  count_totals(-1, -s.messages, -s.bytes)
  publish_change(rules, now, kind, s.revision + 1)
end
