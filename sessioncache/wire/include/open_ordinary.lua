-- open_ordinary: what an append needs of a session that has nothing unusual about it: it is sound and all its messages are in its
-- stream or behind its seam, its deadline is neither past nor to be moved, the operation is new, the base is the session's, and the
-- quotas have room. Else nothing: the long way (open_session and its like) finds out what it is. Every field that is asked for, and
-- every argument, is a good part of what an append costs. With the operation before, which was answered before this one was sent,
-- it must be the last one: then this one is new. Further fields that are named are answered last, from the 11th place on.
local function open_ordinary(now, more_messages, more_bytes, before, ...)
  local call, number = redis.call, tonumber
  if fence or since_ms or (before and call('LINDEX', operations, -2) ~= before)
    or not before and (call('LPOS', operations, operation) or call('LPOS', tombstone, operation)) then
    return nil
  end
  local v = call('HMGET', record, 'revision', 'seq', 'messages', 'bytes', 'updated_ms', 'deadline_ms', 'gen', 'schema', 'pinned',
    'retain:ttl_ms', ...)
  local revision, seq, messages, bytes = number(v[1]), number(v[2]), number(v[3]), number(v[4])
  local updated_ms, deadline_ms, gen = number(v[5]), number(v[6]), v[7]
  if not (revision and seq and messages and bytes and updated_ms and deadline_ms and gen)
    or v[8] ~= '1' or v[9] == '1' or v[10] then
    return nil
  end
  local length = call('XLEN', transcript)
  if length == 0 or (length ~= messages and length ~= unsealed(messages)) then
    return nil
  end
  if (base_gen ~= '' and base_gen ~= gen) or (base_revision and base_revision ~= revision) then
    return nil
  end
  local rules = call('HMGET', policy, 'ttl_ms', 'quota_messages', 'quota_bytes', 'feed_items')
  local ttl, quota_messages, quota_bytes = number(rules[1]) or 604800000, number(rules[2]) or 100000, number(rules[3]) or 268435456
  local delta = now + ttl - deadline_ms
  if ttl == 0 or deadline_ms <= now or delta < 0 or delta > ttl / 20 or (quota_messages > 0 and messages + more_messages > quota_messages)
    or (quota_bytes > 0 and bytes + more_bytes > quota_bytes) then
    return nil
  end
  return gen, revision, seq, messages, bytes, updated_ms, rules[4] or 10000, v
end
