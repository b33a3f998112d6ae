-- save_again: the whole of a save by who wrote to the session last, with new messages and fields and documents of the same names: what
-- the save before was answered still holds, so it is neither read nor answered again. Else nothing is changed or answered.
local function save_again(now)
  if last == '' then
    return nil
  end
  local call, concat = redis.call, table.concat
  local before, size = 2 * (runtime + documents), 0
  local count = #rest - before
  for i = before + 1, #rest do
    size = size + #rest[i]
  end
  local gen, revision, seq, messages, bytes, written_ms, feed_items, v = open_ordinary(now, count, size, string.sub(last, 1, 16),
    'first_seq', 'ttl_ms', 'n:documents')
  if not gen or not tonumber(v[11]) or not tonumber(v[12]) or v[1] ~= string.sub(last, 18)
    or (documents > 0 and call('HLEN', room_key('documents')) ~= tonumber(v[13])) then
    return nil
  end
  local stamp = string.format('%.0f', now)
  for i = 1, count do
    call('XADD', transcript, seq + i .. '-' .. stamp, string.sub(marks, i, i), rest[before + i])
  end
  local new_seq, last_seq, updated = seq + 1 .. '', seq + count .. '', now > written_ms and stamp or v[5]
  revision, messages, bytes = revision + 1 .. '', messages + count .. '', bytes + size .. ''
  call('HSET', record, 'revision', revision, 'seq', last_seq, 'last_seq', last_seq, 'messages', messages, 'bytes', bytes,
    'updated_ms', updated, unpack(rest, 1, 2 * runtime))
  if documents > 0 and string.sub(last, 17, 17) == '*' then
    call('HSET', room_key('documents'), unpack(rest, 1 + 2 * runtime, before))
  end
  local reply = { stamp .. '\31again', gen, revision, updated, v[6], v[12], v[11], last_seq, messages, bytes, new_seq }
  keep_reply(operations, concat(reply, '\31'))
  call('ZADD', by_updated, updated, id)
  call('HINCRBY', totals, 'messages', count)
  call('HINCRBY', totals, 'bytes', size)
  publish_change({ feed_items = feed_items }, stamp, 'session.saved', revision, 'outcome', 'stored', 'first_seq', new_seq,
    'last_seq', last_seq)
  reply[1] = '0 again'
  return concat(reply, ' ')
end
