-- refuse_torn_rooms: an error where any room of the session does not hold as many entries as the record says; one of another type holds
-- none of them. Readers of a room look at that one alone.
local function refuse_torn_rooms()
  local documents, updates, updates_order = room_key('documents'), room_key('updates'), room_key('updates:order')
  local qa, qa_order, checkpoints = room_key('qa'), room_key('qa:order'), room_key('checkpoints')
  local checkpoints_order, traces, usage = room_key('checkpoints:order'), room_key('traces'), room_key('usage')
  local entities, relationships = room_key('entities'), room_key('relationships')
  local workspaces, sources = room_key('workspaces'), room_key('sources')
  local found = {
    { 'documents', redis.pcall('HLEN', documents) },
    { 'updates', redis.pcall('HLEN', updates) }, { 'updates', redis.pcall('ZCARD', updates_order) },
    { 'qa', redis.pcall('HLEN', qa) }, { 'qa', redis.pcall('ZCARD', qa_order) },
    { 'checkpoints', redis.pcall('HLEN', checkpoints) }, { 'checkpoints', redis.pcall('ZCARD', checkpoints_order) },
    { 'traces', redis.pcall('LLEN', traces) }, { 'usage', redis.pcall('LLEN', usage) },
    { 'entities', redis.pcall('HLEN', entities) }, { 'relationships', redis.pcall('HLEN', relationships) },
    { 'workspaces', redis.pcall('HLEN', workspaces) }, { 'sources', redis.pcall('HLEN', sources) },
  }
  for _, room in ipairs(found) do
    local err = refuse_room(room[1], type(room[2]) == 'number' and room[2] or -1)
    if err then
      return err
    end
  end
end
