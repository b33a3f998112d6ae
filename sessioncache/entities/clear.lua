-- entities.clear: removes all entities and relationships of a session. Works on a full server, for it frees before it writes.
--
-- KEYS
--   @session
--   entities            hash
--   relationships       hash
--   relationships_ends  zset
-- ARGV
--   @write
-- REPLY   repeated entities relationships; how many there were
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCTORN SCSCHEMA
-- EMITS   entities.cleared session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
err = err or refuse_graph()
if err then
  return err
end
local had_entities, had_relationships = redis.call('HLEN', entities), redis.call('HLEN', relationships)
if had_entities + had_relationships == 0 then
  return { '0', 0, 0 }
end
redis.call('UNLINK', entities, relationships, relationships_ends)
write_record(s, rules, now)
set_count('entities', 0)
set_count('relationships', 0)
local reply = remember_operation(operations, now, { had_entities, had_relationships })
index_session(s)
publish_change(rules, now, 'entities.cleared', s.revision, 'entities', had_entities, 'relationships', had_relationships)
return reply
