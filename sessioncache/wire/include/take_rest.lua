-- take_rest: what stands in a list from position `at` on.
local function take_rest(list, at)
  local found = {}
  for i = at, #list do
    found[#found + 1] = list[i]
  end
  return found
end
