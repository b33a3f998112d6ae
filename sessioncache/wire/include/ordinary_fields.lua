-- ordinary_fields: of a whole record, the runtime fields that a save is to set, the record by name, and the authoritative, host and
-- label fields as names and values; nothing where a runtime field is to go, the incoming group wins, or the record is not sound.
local function ordinary_fields(stored)
  local s, kept, given = {}, {}, {}
  for i = 1, #stored, 2 do
    s[stored[i]] = stored[i + 1]
  end
  local number = tonumber
  if not (number(s.created_ms) and number(s.first_seq) and number(s.last_seq) and number(s.ttl_ms)) or not s.user
    or (user ~= '' and s.user == 'default') or (number(s.metadata_version or 0) or -1) < metadata_version then
    return nil
  end
  local authoritative_fields, runtime_fields, others = group_fields(stored)
  if keep_runtime == 0 then
    for i = 1, 2 * runtime, 2 do
      given[rest[i]] = true
      if s[rest[i]] ~= rest[i + 1] then
        kept[#kept + 1], kept[#kept + 2] = rest[i], rest[i + 1]
      end
    end
    for i = 1, #runtime_fields, 2 do
      if not given[runtime_fields[i]] then
        return nil
      end
    end
  end
  for _, part in ipairs(others) do
    authoritative_fields[#authoritative_fields + 1] = part
  end
  return kept, s, authoritative_fields
end
