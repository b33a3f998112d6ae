-- upkeep.unlink: removes rows of the shard's links whose entry the session does not have, be it that the session is gone. A row of a
-- kind that this release does not know stays.
--
-- KEYS
--   @session
--   lease  hash
-- ARGV
--   id           text
--   lease_token  integer  0: none
--   rows         text...  rows that name the session, 500 at most
-- REPLY   rows removed
-- ERRORS  SCLEASE
-- EMITS   -
local err = refuse_fenced()
if err then
  return err
end
local checkpoints, workspaces, sources = room_key('checkpoints'), room_key('workspaces'), room_key('sources')
local function is_there(kind, thing, entry)
  if kind == 'c' then
    return redis.call('HEXISTS', checkpoints, thing) == 1
  elseif kind == 'w' then
    return redis.call('HEXISTS', workspaces, thing) == 1
  elseif kind == 'f' then
    return redis.call('HEXISTS', sources, thing) == 1
  elseif kind == 'p' then
    local source = redis.call('HGET', sources, entry)
    return source and unpack_parts(source)[1] == thing
  end
  return true
end
local removed = 0
for _, row in ipairs(rows) do
  local parts = split_text(row, '\0')
  if not is_there(parts[1], parts[2], parts[3]) then
    removed = removed + redis.call('ZREM', links, row)
  end
end
return removed
