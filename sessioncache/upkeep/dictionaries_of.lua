-- upkeep.dictionaries_of: which dictionaries the chunks of a session need, 100 chunks at most.
--
-- KEYS
--   sealed  list
-- ARGV
--   first  integer  number of the chunk to begin with, from 0
-- REPLY   where to go on, 0 at the end; then what stands for a dictionary in chunks, each once
-- ERRORS  -
-- EMITS   -
local found, seen = { 0 }, {}
for at = first, first + 99 do
  local chunk = redis.call('LINDEX', sealed, 2 * at + 1)
  if not chunk then
    return found
  end
  local named = string.byte(chunk) == 18 and string.sub(chunk, 2, 9)
  if named and not seen[named] then
    seen[named] = true
    found[#found + 1] = named
  end
end
found[1] = first + 100
return found
