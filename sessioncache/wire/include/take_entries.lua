-- take_entries: number, id and payload of the entries that an order names with their scores.
local function take_entries(items, found)
  local names, entries = {}, {}
  for i = 1, #found, 2 do
    names[#names + 1] = found[i]
  end
  local payloads = #names > 0 and redis.call('HMGET', items, unpack(names)) or {}
  for i, name in ipairs(names) do
    entries[i] = { found[i * 2], name, payloads[i] }
  end
  return entries
end
