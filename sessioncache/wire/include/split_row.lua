-- split_row: the parts of an index's row, which NULs part.
local function split_row(row)
  local parts, at = {}, 1
  while true do
    local found = string.find(row, '\0', at, true)
    parts[#parts + 1] = string.sub(row, at, (found or 0) - 1)
    if not found then
      return parts
    end
    at = found + 1
  end
end
