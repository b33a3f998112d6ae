-- field_group: the group that a field of the record belongs to: authoritative wins or loses as a whole, runtime comes with every
-- runtime save, others are host fields and labels; nil for the session's own.
local function field_group(name)
  local colon = string.find(name, ':', 1, true)
  if not colon then
    if name == 'title' or name == 'title_version' or name == 'pinned' or name == 'metadata_version' then
      return 'authoritative'
    end
    return (name == 'status' or name == 'parent') and 'runtime' or nil
  end
  local prefix = string.sub(name, 1, colon)
  return (prefix == 'auth:' and 'authoritative') or (prefix == 'meta:' and 'runtime')
    or ((prefix == 'host:' or prefix == 'label:') and 'others') or nil
end
