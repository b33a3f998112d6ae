-- pack_parts: a list of texts and numbers as one string: every part as its length, a colon, and itself.
local function pack_parts(list)
  local parts = {}
  for i, part in ipairs(list) do
    local text = tostring(part)
    parts[i] = #text .. ':' .. text
  end
  return table.concat(parts)
end
