-- linked_entry: an entry of a room of the session that a row of the shard's links names, or nil where the session is gone or past
-- its deadline, or has no such entry. Keys are put together here: ids come out of an index, so their keys cannot be declared;
-- they lie in the slot of the keys that are.
local function linked_entry(member, suffix, field, now)
  local v = redis.call('HMGET', record_prefix .. member, 'gen', 'deadline_ms')
  local deadline_ms = tonumber(v[2]) or 0
  if not v[1] or (deadline_ms > 0 and deadline_ms <= now) then
    return nil
  end
  return redis.call('HGET', record_prefix .. member .. ':' .. suffix, field) or nil
end
