-- kept_since: when the oldest operation of a list was kept, in ms; nil where there is none, 0 where it does not say.
local function kept_since(key)
  local oldest = redis.call('LINDEX', key, 1)
  return oldest and (tonumber(string.match(oldest, '^(%d+)[\30\31]')) or 0)
end
