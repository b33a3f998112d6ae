-- edit_fields: a packed list of names and values with some of them set, and those given an empty value cleared first. Clearing a
-- name clears the names that begin with it and a unit separator, too.
local function edit_fields(packed, given)
  local sets, clears = split_pairs(given)
  local fields, order = {}, {}
  local function put(name, value)
    if fields[name] == nil then
      order[#order + 1] = name
    end
    fields[name] = value
  end
  local old = unpack_parts(packed)
  for i = 1, #old, 2 do
    put(old[i], old[i + 1])
  end
  for _, cleared in ipairs(clears) do
    for _, name in ipairs(order) do
      if name == cleared or string.sub(name, 1, #cleared + 1) == cleared .. '\31' then
        fields[name] = false
      end
    end
  end
  for i = 1, #sets, 2 do
    put(sets[i], sets[i + 1])
  end
  local parts = {}
  for _, name in ipairs(order) do
    if fields[name] then
      parts[#parts + 1] = name
      parts[#parts + 1] = fields[name]
    end
  end
  return pack_parts(parts)
end
