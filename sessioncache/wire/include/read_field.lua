-- read_field: one value out of a packed list of names and values, or nil.
local function read_field(packed, name)
  local parts = unpack_parts(packed)
  for i = 1, #parts, 2 do
    if parts[i] == name then
      return parts[i + 1]
    end
  end
  return nil
end
