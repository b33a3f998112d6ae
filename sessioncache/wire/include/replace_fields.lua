-- replace_fields: the record's fields of one group become the given ones; those not given are removed.
local function replace_fields(stored, belongs, given, by_name)
  for i = 1, #stored, 2 do
    if belongs(stored[i]) and not by_name[stored[i]] then
      redis.call('HDEL', record, stored[i])
    end
  end
  if #given > 0 then
    redis.call('HSET', record, unpack(given))
  end
end
