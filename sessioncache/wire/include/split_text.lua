-- split_text: the parts of a text that one byte parts: of an index's row, say.
local function split_text(text, separator)
  local parts, at = {}, 1
  while true do
    local found = string.find(text, separator, at, true)
    parts[#parts + 1] = string.sub(text, at, (found or 0) - 1)
    if not found then
      return parts
    end
    at = found + 1
  end
end
