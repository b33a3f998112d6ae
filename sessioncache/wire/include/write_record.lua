-- write_record: bumps the revision and writes the session's own fields, with the given pairs besides. It is denied to a full
-- server, so it (or XADD, denied likewise) stands before everything else that a mutation changes. What removes something stands
-- before it instead, so that a full server can be emptied.
local function write_record(s, rules, now, ...)
  s.revision = s.revision + 1
  s.updated_ms = math.max(now, s.updated_ms)
  plan_deadline(s, rules, now)
  if s.created then
    redis.call('HSET', record, 'gen', s.gen, 'schema', 1, 'created_ms', s.created_ms, 'user', s.user)
  end
  if fence and fence > s.fence then
    redis.call('HSET', record, 'fence', fence)
  end
  redis.call('HSET', record, 'revision', s.revision, 'seq', s.seq, 'first_seq', s.first_seq, 'last_seq', s.last_seq,
    'messages', s.messages, 'bytes', s.bytes, 'updated_ms', s.updated_ms, ...)
  if s.stamp then
    redis.call('HSET', record, 'deadline_ms', s.deadline_ms, 'ttl_ms', s.ttl_ms)
  end
end
