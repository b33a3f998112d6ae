-- path_of: the path in what is stored of a source, which is its first part; nil where it is damaged.
local function path_of(source)
  local length, start = string.match(source, '^(%d+):()')
  return length and string.sub(source, start, start + length - 1) or nil
end
