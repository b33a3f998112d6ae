-- counters_of: the given fields of the record of a session that the feed names; none where it is no hash. Its key is put together
-- here: ids come out of the feed, so their keys cannot be declared; they lie in the slot of the keys that are.
local function counters_of(member, fields)
  local found = redis.pcall('HMGET', record_prefix .. member, unpack(fields))
  return found.err and {} or found
end
