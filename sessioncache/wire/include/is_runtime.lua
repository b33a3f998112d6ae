-- is_runtime: whether a field of the record is taken from every runtime save as it comes.
local function is_runtime(name)
  return name == 'status' or name == 'parent' or string.sub(name, 1, 5) == 'meta:'
end
