-- save_again: the whole of a save by who wrote to the session last, with fields and documents of the same names: what the save before
-- was answered still holds, so it is neither read nor answered again. Else nothing is changed or answered.
local function save_again(now)
  local call, concat, before, size = redis.call, table.concat, 2 * (runtime + documents), 0
  local count = #rest - before
  for i = before + 1, #rest do
    size = size + #rest[i]
  end
  local gen, revision, seq, messages, bytes, updated, feed_items, v = open_ordinary(now, count, size, string.sub(last, 1, 16),
    'first_seq', 'ttl_ms', 'n:documents')
  if not gen or not tonumber(v[11]) or not tonumber(v[12]) or v[1] ~= string.sub(last, 18)
    or (documents > 0 and call('HLEN', room_key('documents')) ~= tonumber(v[13])) then
    return nil
  end
  local stamp, seq_text = string.format('%.0f', now), seq + count .. ''
  local new_seq, last_seq = count > 0 and seq + 1 .. '' or '0', count > 0 and seq_text or call('HGET', record, 'last_seq')
  if not tonumber(last_seq) then
    return nil
  end
  for i = 1, count do
    call('XADD', transcript, seq + i .. '-' .. stamp, string.sub(marks, i, i), rest[before + i])
  end
  revision, messages, bytes, updated = revision + 1 .. '', messages + count .. '', bytes + size .. '', now > updated and stamp or v[5]
  call('HSET', record, 'revision', revision, 'seq', seq_text, 'last_seq', last_seq, 'messages', messages, 'bytes', bytes,
    'updated_ms', updated, unpack(rest, 1, 2 * runtime))
  if documents > 0 and string.sub(last, 17, 17) == '*' then
    call('HSET', room_key('documents'), unpack(rest, 1 + 2 * runtime, before))
  end
  local reply = { stamp .. '\31again', gen, revision, updated, v[6], v[12], v[11], last_seq, messages, bytes, new_seq }
  keep_reply(operations, concat(reply, '\31'))
  call('ZADD', by_updated, updated, id)
  if count > 0 then
    call('HINCRBY', totals, 'messages', count)
    call('HINCRBY', totals, 'bytes', size)
  end
  publish_change({ feed_items = feed_items }, stamp, 'session.saved', revision, 'outcome', 'stored', 'first_seq', new_seq,
    'last_seq', last_seq)
  reply[1] = '0 again'
  return concat(reply, ' ')
end
