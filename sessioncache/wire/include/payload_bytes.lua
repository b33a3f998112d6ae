-- payload_bytes: the length of all payloads together.
local function payload_bytes(payloads)
  local size = 0
  for _, payload in ipairs(payloads) do
    size = size + #payload
  end
  return size
end
