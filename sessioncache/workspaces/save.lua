-- workspaces.save: writes what a workspace says about itself; when it was created stays, and so does what this release does not
-- know.
--
-- KEYS
--   workspace_list  hash
-- ARGV
--   now_override_ms  integer
--   workspace        text     escaped id
--   given            text...  names and values to set
-- REPLY   created
-- ERRORS  -
-- EMITS   -
local now = server_now_ms()
local stored = redis.call('HGET', workspace_list, workspace)
if not stored then
  given[#given + 1] = 'created_ms'
  given[#given + 1] = string.format('%.0f', now)
end
redis.call('HSET', workspace_list, workspace, edit_fields(stored or '', given))
return stored and 0 or 1
