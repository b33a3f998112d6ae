-- unpack_reply: the parts of what pack_reply made one string of.
local function unpack_reply(packed)
  if string.byte(packed) ~= 31 then
    return unpack_parts(packed)
  end
  local parts, at = {}, 2
  while true do
    local found = string.find(packed, '\31', at, true)
    parts[#parts + 1] = string.sub(packed, at, (found or 0) - 1)
    if not found then
      return parts
    end
    at = found + 1
  end
end
