-- refuse_fields: an error where a group of the record (auth, host, meta) would have more than 256 fields.
local function refuse_fields(given, cleared)
  local groups, counts = {}, {}
  local function count(name, change)
    local group = string.match(name, '^(%a+):')
    if group and group ~= 'retain' and (groups[name] or false) ~= (change > 0) then
      groups[name] = change > 0
      counts[group] = (counts[group] or 0) + change
    end
  end
  for _, name in ipairs(redis.call('HKEYS', record)) do
    count(name, 1)
  end
  for _, name in ipairs(cleared) do
    count(name, -1)
  end
  for i = 1, #given, 2 do
    count(given[i], 1)
  end
  for group, size in pairs(counts) do
    if size > 256 then
      return redis.error_reply('SCLIMIT ' .. group .. ' would have ' .. size .. ' fields; the limit is 256')
    end
  end
end
