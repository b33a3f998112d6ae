-- workspaces.add: makes a session a member of a workspace, or gives a member another role. Creates the session where there is none;
-- nobody asks whether there is such a workspace.
--
-- KEYS
--   @session
--   workspaces  hash
-- ARGV
--   @write
--   user       text     whose session it is, if this call creates it; empty: the default user
--   workspace  text     escaped id
--   role       text     what the session is to it
--   keep_role  integer  1: a member keeps the role that it has
-- REPLY   repeated created gen revision added role
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
-- EMITS   workspaces.added session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
local before = redis.call('HLEN', workspaces)
err = err or refuse_room('workspaces', before)
if err then
  return err
end
local stored = redis.call('HGET', workspaces, workspace)
local had = stored and read_field(stored, 'role')
if had and (keep_role == 1 or had == role) then
  return { '0', 0, s.gen, s.revision, 0, had }
end
err = refuse_count(rules, 'workspaces', before + (stored and 0 or 1))
if err then
  return err
end
take_user(s, user)
write_record(s, rules, now)
local given = { 'role', role }
if not stored then
  given[3], given[4] = 'added_ms', string.format('%.0f', now)
end
redis.call('HSET', workspaces, workspace, edit_fields(stored or '', given))
redis.call('ZADD', links, 0, 'w\0' .. workspace .. '\0' .. id)
set_count('workspaces', redis.call('HLEN', workspaces))
local reply = remember_operation(operations, now, { s.created and 1 or 0, s.gen, s.revision, stored and 0 or 1, role })
index_session(s, workspaces)
count_totals(s.created and 1 or 0, 0, 0)
publish_change(rules, now, 'workspaces.added', s.revision, 'workspace', workspace, 'role', role)
return reply
