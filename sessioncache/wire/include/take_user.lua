-- take_user: who owns a session that is only being created.
local function take_user(s, owner)
  if s.created and owner ~= '' then
    s.user = owner
  end
end
