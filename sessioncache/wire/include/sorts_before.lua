-- sorts_before: whether one text stands before another, byte by byte, as the server orders the members of a set. The operator
-- `<` compares as the server's locale does, so it must not be used on text.
local function sorts_before(text, other)
  for i = 1, math.min(#text, #other) do
    local byte, other_byte = string.byte(text, i), string.byte(other, i)
    if byte ~= other_byte then
      return byte < other_byte
    end
  end
  return #text < #other
end
