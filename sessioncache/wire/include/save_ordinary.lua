-- save_ordinary: the whole of a save that has nothing unusual about it, as most of a running agent have: its messages are appended,
-- the stored authoritative group wins, no runtime field goes away, and its documents take the place of documents. Else nothing is
-- changed or answered: the long way finds out what it is.
local function save_ordinary(now)
  if through or updated_ms or labels + updates > 0 or documents > 100 then
    return nil
  end
  local call, documents_at = redis.call, 1 + 2 * runtime
  local before, size = documents_at + 2 * documents - 1, 0
  local count = #rest - before
  for i = before + 1, #rest do
    size = size + #rest[i]
  end
  local gen, revision, seq, messages, bytes, written_ms, feed_items = open_ordinary(now, count, size)
  if not gen then
    return nil
  end
  local sets, s, group = ordinary_fields(call('HGETALL', record))
  if not sets or not are_documents(s, documents_at) then
    return nil
  end
  local stamp, seq_text, last_seq = string.format('%.0f', now), seq + count .. '', count > 0 and seq + count .. '' or s.last_seq
  for i = 1, count do
    call('XADD', transcript, seq + i .. '-' .. stamp, string.sub(marks, i, i), rest[before + i])
  end
  revision = revision + 1 .. ''
  local updated, new_seq = now > written_ms and stamp or s.updated_ms, count > 0 and seq + 1 .. '' or '0'
  call('HSET', record, 'revision', revision, 'seq', seq_text, 'last_seq', last_seq, 'messages', messages + count,
    'bytes', bytes + size, 'updated_ms', updated, unpack(sets))
  if documents > 0 then
    call('HSET', room_key('documents'), unpack(rest, documents_at, before))
  end
  local reply = remember_operation(operations, now, { 'stored', gen, revision, s.created_ms, updated, s.deadline_ms, s.ttl_ms,
    s.first_seq, last_seq, messages + count .. '', bytes + size .. '', new_seq, s.user, unpack(group) })
  call('ZADD', by_updated, updated, id)
  count_totals(0, count, size)
  publish_change({ feed_items = feed_items }, stamp, 'session.saved', revision, 'outcome', 'stored', 'first_seq', new_seq,
    'last_seq', last_seq)
  return reply
end
