-- group_fields: of a record's names and values, the authoritative group, the runtime group and the others, each as a list of names
-- and values.
local function group_fields(stored)
  local groups = { authoritative = {}, runtime = {}, others = {} }
  for i = 1, #stored, 2 do
    local group = groups[field_group(stored[i])]
    if group then
      local at = #group
      group[at + 1], group[at + 2] = stored[i], stored[i + 1]
    end
  end
  return groups.authoritative, groups.runtime, groups.others
end
