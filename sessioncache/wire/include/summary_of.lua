-- summary_of: what a list shows of a session, the given label fields last, or nil where it is gone or past its deadline. Its key
-- is put together here: ids come out of an index, so their keys cannot be declared; they lie in the slot of the keys that are.
-- A record that is no hash has no fields, which its reader takes for the damage that it is; any other error is raised.
local function summary_of(member, now, labels)
  local v = redis.pcall('HMGET', record_prefix .. member, 'gen', 'revision', 'messages', 'bytes', 'created_ms', 'updated_ms',
    'deadline_ms', 'user', 'parent', 'status', 'title', 'pinned', unpack(labels))
  if v.err then
    if not string.find(tostring(v.err), 'WRONGTYPE', 1, true) then
      redis.call('HMGET', record_prefix .. member, 'gen')
    end
    return { member, {} }
  end
  local deadline_ms = tonumber(v[7]) or 0
  if not v[1] or (deadline_ms > 0 and deadline_ms <= now) then
    return nil
  end
  return { member, v }
end
