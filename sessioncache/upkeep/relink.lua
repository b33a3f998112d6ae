-- upkeep.relink: puts rows that the shard's links lack of entries of a session back. A torn session is left as it is.
--
-- KEYS
--   @session
--   items  hash
--   lease  hash
-- ARGV
--   id           text
--   lease_token  integer  0: none
--   dry_run      integer  1: only counts them
--   kind         text     of the rows: c, w or f; a source has a second row, by its path
--   things       text...  entries that the room had when it was looked at
-- REPLY   rows that were lacking
-- ERRORS  SCLEASE SCTORN SCSCHEMA
-- EMITS   -
local err = refuse_fenced()
if err then
  return err
end
local s
s, err = load_session()
err = err or (s and refuse_torn(s))
if err then
  return err
end
local added = 0
local function add(row)
  if redis.call('ZSCORE', links, row) then
    return
  end
  added = added + 1
  if dry_run ~= 1 then
    -- A full server allows what stands behind a command that could have freed something.
    redis.call('ZREM', links, row)
    redis.call('ZADD', links, 0, row)
  end
end
for _, thing in ipairs(things) do
  local value = kind == 'f' and redis.call('HGET', items, thing)
  if value then
    add('p\0' .. unpack_parts(value)[1] .. '\0' .. thing .. '\0' .. id)
  end
  if value or (kind ~= 'f' and redis.call('HEXISTS', items, thing) == 1) then
    add(kind .. '\0' .. thing .. '\0' .. id)
  end
end
return added
