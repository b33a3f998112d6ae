-- forget_rooms: takes the entries of a session's rooms out of the shard's totals and links, before the rooms are removed.
local function forget_rooms()
  local rooms = { 'documents', 'updates', 'qa', 'checkpoints', 'traces', 'usage', 'entities', 'relationships', 'workspaces',
    'sources' }
  local fields = {}
  for i, room in ipairs(rooms) do
    fields[i] = 'n:' .. room
  end
  local counts = redis.pcall('HMGET', record, unpack(fields))
  for i, room in ipairs(rooms) do
    local count = tonumber(counts[i]) or 0
    if count > 0 then
      redis.call('HINCRBY', totals, room, -count)
    end
  end
  unlink_things('c', room_key('checkpoints'))
  unlink_things('w', room_key('workspaces'))
  unlink_things('f', room_key('sources'))
end
