-- is_past: whether the session's deadline has passed; such a session is absent, swept or not.
local function is_past(s, now)
  return s.deadline_ms > 0 and s.deadline_ms <= now
end
