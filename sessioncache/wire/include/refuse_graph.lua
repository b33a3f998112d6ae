-- refuse_graph: an error where the session's entities and relationships are not as many as the record says, or their index has
-- not a row for each entity and two for each relationship.
local function refuse_graph()
  local has_entities, has_relationships = redis.call('HLEN', entities), redis.call('HLEN', relationships)
  local err = refuse_room('entities', has_entities) or refuse_room('relationships', has_relationships)
  local rows = redis.call('ZCARD', relationships_ends)
  if not err and rows ~= has_entities + 2 * has_relationships then
    return redis.error_reply('SCTORN session ' .. id .. ': ' .. has_entities .. ' entities and ' .. has_relationships ..
      ' relationships have ' .. rows .. ' rows in their index')
  end
  return err
end
