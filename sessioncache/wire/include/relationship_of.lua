-- relationship_of: the field of the relationship that a row of the index of ends stands for, and the row of its other end.
local function relationship_of(row)
  local sigil, parts = string.sub(row, 1, 1), split_text(string.sub(row, 2), '\0')
  local turned = parts[3] .. '\0' .. parts[2] .. '\0' .. parts[1]
  if sigil == '>' then
    return string.sub(row, 2), '<' .. turned
  end
  return turned, '>' .. turned
end
