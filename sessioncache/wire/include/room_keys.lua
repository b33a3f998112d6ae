-- room_keys: every key that the session's rooms may have, and that of its sealed messages; a test compares the list with the
-- catalogue's.
local function room_keys()
  local keys = { 'sealed', 'documents', 'updates', 'updates:order', 'qa', 'qa:order', 'checkpoints', 'checkpoints:order', 'traces',
    'usage', 'usage:totals', 'entities', 'relationships', 'relationships:ends', 'workspaces', 'sources' }
  for i, suffix in ipairs(keys) do
    keys[i] = room_key(suffix)
  end
  return unpack(keys)
end
