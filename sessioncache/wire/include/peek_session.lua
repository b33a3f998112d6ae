-- peek_session: the live session for a reader: nil where there is none or its deadline has passed. Changes nothing.
local function peek_session(now)
  local s, err = load_session()
  if err or not s or is_past(s, now) then
    return nil, err
  end
  return s, refuse_torn(s)
end
