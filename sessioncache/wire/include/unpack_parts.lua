-- unpack_parts: the parts of what pack_parts made one string of.
local function unpack_parts(packed)
  local parts, at = {}, 1
  while at <= #packed do
    local length, start = string.match(packed, '^(%d+):()', at)
    parts[#parts + 1] = string.sub(packed, start, start + length - 1)
    at = start + length
  end
  return parts
end
