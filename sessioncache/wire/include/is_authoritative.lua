-- is_authoritative: whether a field of the record belongs to the authoritative group, which wins or loses as a whole.
local function is_authoritative(name)
  return name == 'title' or name == 'title_version' or name == 'pinned' or name == 'metadata_version'
    or string.sub(name, 1, 5) == 'auth:'
end
