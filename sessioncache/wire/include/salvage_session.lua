-- salvage_session: what can be read of a session that is about to be removed, however damaged; nil where none of its keys is
-- there.
local function salvage_session()
  if redis.call('EXISTS', record, transcript, operations, room_keys()) == 0 then
    return nil
  end
  local v = redis.pcall('HMGET', record, 'gen', 'revision', 'deadline_ms', 'user', 'messages', 'bytes', 'fence')
  if v.err then
    v = {}
  end
  return {
    gen = v[1] or '', revision = tonumber(v[2]) or 0, deadline_ms = tonumber(v[3]) or 0, user = v[4] or '',
    messages = tonumber(v[5]) or 0, bytes = tonumber(v[6]) or 0, fence = tonumber(v[7]) or 0,
  }
end
