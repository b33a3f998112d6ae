-- load_session: the record's own fields as numbers and strings; nil where there is no record, an error where it is damaged.
-- A transcript without its record means that something else removed a part of the session: never a new session.
local function load_session()
  local v = redis.call('HMGET', record, 'gen', 'schema', 'revision', 'seq', 'first_seq', 'last_seq', 'messages', 'bytes',
    'created_ms', 'updated_ms', 'deadline_ms', 'ttl_ms', 'user', 'pinned', 'fence', 'retain:ttl_ms', 'sealed')
  if not v[1] then
    if redis.call('EXISTS', record, transcript, room_keys()) > 0 then
      return nil, redis.error_reply('SCTORN session ' .. id .. ': something of it is there, but its record has no gen')
    end
    return nil
  end
  if (tonumber(v[2]) or 0) > 1 then
    return nil, redis.error_reply('SCSCHEMA session ' .. id .. ' has schema ' .. v[2] .. '; this release reads up to 1: upgrade it')
  end
  for i = 3, 12 do
    v[i] = tonumber(v[i])
    if not v[i] then
      local names = { 'revision', 'seq', 'first_seq', 'last_seq', 'messages', 'bytes', 'created_ms', 'updated_ms',
        'deadline_ms', 'ttl_ms' }
      return nil, redis.error_reply('SCTORN session ' .. id .. ': field ' .. names[i - 2] .. ' of the record is not a number')
    end
  end
  return {
    gen = v[1], revision = v[3], seq = v[4], first_seq = v[5], last_seq = v[6], messages = v[7], bytes = v[8],
    created_ms = v[9], updated_ms = v[10], deadline_ms = v[11], ttl_ms = v[12], user = v[13] or '', pinned = v[14] == '1',
    fence = tonumber(v[15]) or 0, retain_ttl_ms = tonumber(v[16]),
    sealed = v[17] and sealed_part(v[17]),
  }
end
