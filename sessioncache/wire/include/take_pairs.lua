-- take_pairs: `count` names and values out of a list, from position `at` on; answers them as a list and by name, and where
-- the list goes on.
local function take_pairs(list, at, count)
  local pairs_, by_name = {}, {}
  for i = at, at + count * 2 - 1, 2 do
    pairs_[#pairs_ + 1] = list[i]
    pairs_[#pairs_ + 1] = list[i + 1]
    by_name[list[i]] = list[i + 1]
  end
  return pairs_, by_name, at + count * 2
end
