-- entities.save: puts entities and relationships into a session, in one step: a known one is edited, and an entity is counted as
-- mentioned once more. Creates the session where there is none. An entity is given as name, mention count (empty: one more), first and
-- last mention in ms (empty: now), fields; a relationship as from, type, to, fields. Names are escaped, fields packed.
--
-- KEYS
--   @session
--   entities            hash
--   relationships       hash
--   relationships_ends  zset
-- ARGV
--   @write
--   user   text     whose session it is, if this call creates it; empty: the default user
--   count  integer  how many entities come first
--   given  text...  entities, then relationships
-- REPLY   repeated created gen revision entities relationships
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
-- EMITS   entities.saved session.expired
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
local names, ends, edited = {}, {}, {}
for i = 1, count * 5, 5 do
  local name = given[i]
  local stored = edited[name] or redis.call('HGET', entities, name) or ''
  local fields = unpack_parts(given[i + 4])
  local times = mention_times(stored, tonumber(given[i + 2]), tonumber(given[i + 3]), now)
  local mentions = tonumber(given[i + 1]) or (tonumber(read_field(stored, 'mention_count')) or 0) + 1
  for _, part in ipairs({ 'mention_count', string.format('%.0f', mentions), unpack(times) }) do
    fields[#fields + 1] = part
  end
  names[#names + 1], edited[name] = name, edit_fields(stored, fields)
end
for i = count * 5 + 1, #given, 4 do
  local field = given[i] .. '\0' .. given[i + 1] .. '\0' .. given[i + 2]
  local stored = edited[field] or redis.call('HGET', relationships, field) or ''
  ends[#ends + 1], edited[field] = field, edit_fields(stored, unpack_parts(given[i + 3]))
end
err = refuse_count(rules, 'entities', count_with(entities, names))
  or refuse_count(rules, 'relationships', count_with(relationships, ends))
if err then
  return err
end
take_user(s, user)
write_record(s, rules, now)
for _, name in ipairs(names) do
  redis.call('HSET', entities, name, edited[name])
  redis.call('ZADD', relationships_ends, 0, '=' .. name)
end
for _, field in ipairs(ends) do
  local _, other = relationship_of('>' .. field)
  redis.call('HSET', relationships, field, edited[field])
  redis.call('ZADD', relationships_ends, 0, '>' .. field, 0, other)
end
local has_entities, has_relationships = redis.call('HLEN', entities), redis.call('HLEN', relationships)
set_count('entities', has_entities)
set_count('relationships', has_relationships)
local reply = remember_operation(operations, now,
  { s.created and 1 or 0, s.gen, s.revision, has_entities, has_relationships })
index_session(s, entities, relationships, relationships_ends)
count_totals(s.created and 1 or 0, 0, 0)
publish_change(rules, now, 'entities.saved', s.revision, 'entities', #names, 'relationships', #ends)
return reply
