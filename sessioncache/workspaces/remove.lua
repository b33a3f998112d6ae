-- workspaces.remove: ends a session's membership, and removes its row from the shard's links even where the session is gone. Works on
-- a full server, for it frees before it writes.
--
-- KEYS
--   @session
--   workspaces  hash
-- ARGV
--   @write
--   workspace  text  escaped id
-- REPLY   repeated role; the role is empty where the session was no member
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCTORN SCSCHEMA
-- EMITS   workspaces.removed session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
err = err or refuse_room('workspaces', redis.call('HLEN', workspaces))
if err then
  return err
end
local stored = redis.call('HGET', workspaces, workspace)
if not stored then
  redis.call('ZREM', links, 'w\0' .. workspace .. '\0' .. id)
  return { '0', '' }
end
redis.call('HDEL', workspaces, workspace)
redis.call('ZREM', links, 'w\0' .. workspace .. '\0' .. id)
write_record(s, rules, now)
set_count('workspaces', redis.call('HLEN', workspaces))
local reply = remember_operation(operations, now, { read_field(stored, 'role') or '' })
index_session(s)
publish_change(rules, now, 'workspaces.removed', s.revision, 'workspace', workspace)
return reply
