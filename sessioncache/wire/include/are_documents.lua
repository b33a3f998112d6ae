-- are_documents: whether all documents that a save gives are there already and none is removed, and there are as many as the record
-- says: then a save changes nothing but what they hold.
local function are_documents(s, from)
  if documents == 0 then
    return true
  end
  local items = room_key('documents')
  for i = from, from + 2 * documents - 1, 2 do
    if rest[i + 1] == '' or redis.call('HEXISTS', items, rest[i]) == 0 then
      return false
    end
  end
  return redis.call('HLEN', items) == tonumber(s['n:documents'])
end
