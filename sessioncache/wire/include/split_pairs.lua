-- split_pairs: names and values of which some values are empty, as the pairs to set and the names to clear.
local function split_pairs(given)
  local sets, clears = {}, {}
  for i = 1, #given, 2 do
    if given[i + 1] == '' then
      clears[#clears + 1] = given[i]
    else
      sets[#sets + 1] = given[i]
      sets[#sets + 1] = given[i + 1]
    end
  end
  return sets, clears
end
