-- group_fields: of a record's names and values, those of the authoritative group (which wins or loses as a whole), those of the runtime
-- group (which every runtime save brings), and host fields and labels, each as a list of names and values.
local function group_fields(stored)
  local find, sub = string.find, string.sub
  local authoritative, runtime, others = {}, {}, {}
  for i = 1, #stored, 2 do
    local name, group = stored[i], nil
    local colon = find(name, ':', 1, true)
    if not colon then
      if name == 'title' or name == 'title_version' or name == 'pinned' or name == 'metadata_version' then
        group = authoritative
      elseif name == 'status' or name == 'parent' then
        group = runtime
      end
    else
      local prefix = sub(name, 1, colon)
      group = (prefix == 'auth:' and authoritative) or (prefix == 'meta:' and runtime)
        or ((prefix == 'host:' or prefix == 'label:') and others)
    end
    if group then
      local at = #group
      group[at + 1], group[at + 2] = name, stored[i + 1]
    end
  end
  return authoritative, runtime, others
end
