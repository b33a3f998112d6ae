-- refuse_entries: an error where a room is not as long as the record says, or would hold more entries than the policy allows. `keep` is
-- how many the policy keeps, as in refuse_log.
local function refuse_entries(rules, room, order, keep, given)
  local count = redis.call('ZCARD', order)
  local err = refuse_room(room, count)
  if err or rules.quota_entries == 0 or count + #given / 2 <= rules.quota_entries then
    return err
  end
  local seen = {}
  for i = 1, #given, 2 do
    if given[i + 1] ~= '' and not seen[given[i]] and not redis.call('ZSCORE', order, given[i]) then
      count = count + 1
      seen[given[i]] = true
    end
  end
  return refuse_count(rules, room, keep > 0 and math.min(count, keep) or count)
end
