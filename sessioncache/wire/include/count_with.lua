-- count_with: how many fields a hash would have with the given ones.
local function count_with(hash, fields)
  local count, seen = redis.call('HLEN', hash), {}
  for _, field in ipairs(fields) do
    if not seen[field] and redis.call('HEXISTS', hash, field) == 0 then
      count = count + 1
    end
    seen[field] = true
  end
  return count
end
