-- open_session: the session that a mutation works on, a new one where there is none. Answers session, policy, error.
-- One whose deadline has passed is removed first, so that the new one shares nothing with it.
local function open_session(now)
  local rules = load_policy()
  local s, err = load_session()
  if err then
    return nil, rules, err
  end
  if s and is_past(s, now) then
    remove_session(s, rules, now, 'session.expired')
    s = nil
  end
  if s then
    return s, rules, refuse_stale(s) or refuse_torn(s)
  end
  clear_vanished(rules, now)
  s = {
    gen = operation .. string.format('%x', now), created = true, revision = 0, seq = 0, first_seq = 0, last_seq = 0,
    messages = 0, bytes = 0, created_ms = now, updated_ms = now, deadline_ms = -1, ttl_ms = 0, user = 'default', pinned = false,
    fence = 0,
  }
  return s, rules, refuse_stale(s)
end
