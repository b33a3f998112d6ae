-- open_ordinary: what an append needs of a session that has nothing unusual about it: it is sound and has messages in its stream, its
-- deadline is neither past nor to be moved, the operation is new, the base is the session's, and the quotas have room. Else nothing: the long way
-- (open_session and its like) finds out what it is. Numbers come as the texts they are stored as, and the last is `feed_items`.
local function open_ordinary(now, more_messages, more_bytes)
  local call, number = redis.call, tonumber
  if fence or call('LPOS', operations, operation) or call('LPOS', tombstone, operation) then
    return nil
  end
  local v = call('HMGET', record, 'revision', 'seq', 'messages', 'bytes', 'updated_ms', 'deadline_ms', 'first_seq', 'last_seq',
    'created_ms', 'ttl_ms', 'gen', 'schema', 'pinned', 'retain:ttl_ms', 'sealed')
  for i = 1, 10 do
    if not number(v[i]) then
      return nil
    end
  end
  local revision, seq, messages, bytes, updated_ms, deadline_ms = unpack(v)
  local count, deadline, gen = number(messages), number(deadline_ms), v[11]
  if not gen or v[12] ~= '1' or v[13] == '1' or v[14] then
    return nil
  end
  local tail = count_tail(count, v[15] and sealed_part(v[15]))
  if not tail or tail == 0 or call('XLEN', transcript) ~= tail or (base_gen ~= '' and base_gen ~= gen)
    or (base_revision and base_revision ~= number(revision)) then
    return nil
  end
  local rules = call('HMGET', policy, 'ttl_ms', 'quota_messages', 'quota_bytes', 'feed_items')
  local ttl, quota_messages, quota_bytes = number(rules[1]) or 604800000, number(rules[2]) or 100000, number(rules[3]) or 268435456
  local delta = now + ttl - deadline
  if ttl == 0 or deadline <= now or delta < 0 or delta > ttl / 20 then
    return nil
  end
  if (quota_messages > 0 and count + more_messages > quota_messages)
    or (quota_bytes > 0 and number(bytes) + more_bytes > quota_bytes) then
    return nil
  end
  return gen, revision, seq, messages, bytes, updated_ms, rules[4] or 10000
end
