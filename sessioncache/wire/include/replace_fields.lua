-- replace_fields: the fields of one group of the record, which are stored as a list of names and values, become the given ones; those
-- not given are removed.
local function replace_fields(stored, given, by_name)
  for i = 1, #stored, 2 do
    if not by_name[stored[i]] then
      redis.call('HDEL', record, stored[i])
    end
  end
  if #given > 0 then
    redis.call('HSET', record, unpack(given))
  end
end
