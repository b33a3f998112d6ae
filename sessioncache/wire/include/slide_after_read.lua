-- slide_after_read: moves the deadline after a read, where the namespace's policy says so. Keys are stamped before the record is
-- written, so that it goes through on a full server.
local function slide_after_read(s, now)
  local rules = load_policy()
  if not rules.slide_on_read then
    return
  end
  plan_deadline(s, rules, now)
  if s.stamp then
    stamp_keys(s, record, transcript, operations, room_keys())
    redis.call('HSET', record, 'deadline_ms', s.deadline_ms, 'ttl_ms', s.ttl_ms)
    index_deadline(s)
  end
end
