-- rank_after: how many members of the index stand at or before (score, member), in ascending order of score, then bytes.
-- With `inclusive` false, how many stand strictly before. Members of one score are searched by halves.
local function rank_after(index, score, member, inclusive)
  local low = redis.call('ZCOUNT', index, '-inf', '(' .. score)
  local high = low + redis.call('ZCOUNT', index, score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local found = redis.call('ZRANGE', index, middle, middle)[1]
    if sorts_before(found, member) or (inclusive and found == member) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end
