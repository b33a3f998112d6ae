-- pack_reply: a reply as one string: every part as its length, a colon, and itself.
local function pack_reply(reply)
  local parts = {}
  for i, part in ipairs(reply) do
    local text = tostring(part)
    parts[i] = #text .. ':' .. text
  end
  return table.concat(parts)
end
