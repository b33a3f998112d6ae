-- entities.delete: removes an entity with its relationships, 500 of them at most: the entity goes with the last ones. Works on a full
-- server, for it frees before it writes.
--
-- KEYS
--   @session
--   entities            hash
--   relationships       hash
--   relationships_ends  zset
-- ARGV
--   @write
--   entity  text  escaped name
-- REPLY   repeated found more; found: whether there was such an entity, more: 1 where relationships are left
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCTORN SCSCHEMA
-- EMITS   entities.deleted session.expired
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
local found = redis.call('HEXISTS', entities, entity)
local rows = redis.call('ZRANGEBYLEX', relationships_ends, '[>' .. entity .. '\0', '(>' .. entity .. '\1', 'LIMIT', 0, 500)
local into = redis.call('ZRANGEBYLEX', relationships_ends, '[<' .. entity .. '\0', '(<' .. entity .. '\1', 'LIMIT', 0,
  500 - #rows)
for _, row in ipairs(into) do
  rows[#rows + 1] = row
end
if found + #rows == 0 then
  return { '0', 0, 0 }
end
for _, row in ipairs(rows) do
  local field, other = relationship_of(row)
  redis.call('HDEL', relationships, field)
  redis.call('ZREM', relationships_ends, row, other)
end
local more = #rows == 500 and 1 or 0
if more == 0 then
  redis.call('HDEL', entities, entity)
  redis.call('ZREM', relationships_ends, '=' .. entity)
end
write_record(s, rules, now)
set_count('entities', redis.call('HLEN', entities))
set_count('relationships', redis.call('HLEN', relationships))
local reply = remember_operation(operations, now, { found, more })
index_session(s)
publish_change(rules, now, 'entities.deleted', s.revision, 'entity', entity)
return reply
