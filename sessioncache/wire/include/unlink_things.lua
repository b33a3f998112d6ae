-- unlink_things: removes the session's rows of one kind from the shard's links: one a field of the room. A source has a second
-- row, by its path; where that is damaged, the row stays and nobody sees it.
local function unlink_things(kind, room)
  local things = redis.pcall('HKEYS', room)
  local values = kind == 'f' and redis.pcall('HVALS', room) or {}
  local rows = {}
  for i, thing in ipairs(things) do
    rows[#rows + 1] = kind .. '\0' .. thing .. '\0' .. id
    local path = values[i] and path_of(values[i])
    if path then
      rows[#rows + 1] = 'p\0' .. path .. '\0' .. thing .. '\0' .. id
    end
    if #rows >= 500 or i == #things then
      redis.call('ZREM', links, unpack(rows))
      rows = {}
    end
  end
end
