-- plan_deadline: sets the session's deadline after a write. Sliding is lazy: it moves only where it would by more than 5 %
-- of the TTL, so that a busy session does not re-stamp its keys at every write. 0 means never. A TTL of more than a hundred
-- years counts as a hundred: later times than a server or a calendar can hold would stop the script half-way.
local function plan_deadline(s, rules, now)
  local ttl = math.min(s.retain_ttl_ms or rules.ttl_ms, 3155760000000)
  local wanted = now + ttl
  if ttl == 0 or (s.pinned and rules.keep_pinned) then
    wanted = 0
  end
  local delta = wanted - s.deadline_ms
  if wanted == 0 or s.deadline_ms <= 0 then
    s.stamp = wanted ~= s.deadline_ms
  else
    s.stamp = delta > ttl / 20 or delta < 0
  end
  if s.stamp then
    s.deadline_ms, s.ttl_ms = wanted, ttl
  end
end
