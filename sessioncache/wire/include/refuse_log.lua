-- refuse_log: an error where a log is not as long as the record says, or would hold more entries than the policy allows. `keep` is
-- how many the policy keeps: those beyond are dropped and so not counted; 0: all.
local function refuse_log(rules, room, length, keep, added)
  local err = refuse_room(room, length)
  if err then
    return err
  end
  local wanted = length + added
  return refuse_count(rules, room, keep > 0 and math.min(wanted, keep) or wanted)
end
