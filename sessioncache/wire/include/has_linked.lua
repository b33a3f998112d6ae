-- has_linked: whether the session has what a row of the shard's links says that it has: a checkpoint, a workspace, a source, or a
-- source of that path. A kind that this release does not know is believed.
local function has_linked(row)
  local checkpoints, workspaces, sources = room_key('checkpoints'), room_key('workspaces'), room_key('sources')
  local parts = split_text(row, '\0')
  local kind, thing, entry = parts[1], parts[2], parts[3]
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
