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
-- ERRORS  SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
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
local names, ends = {}, {}
for i = 1, count * 5, 5 do
  names[#names + 1] = given[i]
end
for i = count * 5 + 1, #given, 4 do
  ends[#ends + 1] = given[i] .. '\0' .. given[i + 1] .. '\0' .. given[i + 2]
end
err = refuse_count(rules, 'entities', count_with(entities, names))
  or refuse_count(rules, 'relationships', count_with(relationships, ends))
if err then
  return err
end
take_user(s, user)
write_record(s, rules, now)
for i = 1, count * 5, 5 do
  local stored = redis.call('HGET', entities, given[i]) or ''
  local fields = unpack_parts(given[i + 4])
  local times = mention_times(stored, tonumber(given[i + 2]), tonumber(given[i + 3]), now)
  local mentions = tonumber(given[i + 1]) or (tonumber(read_field(stored, 'mention_count')) or 0) + 1
  for _, part in ipairs({ 'mention_count', string.format('%.0f', mentions), unpack(times) }) do
    fields[#fields + 1] = part
  end
  redis.call('HSET', entities, given[i], edit_fields(stored, fields))
  redis.call('ZADD', relationships_ends, 0, '=' .. given[i])
end
for i, field in ipairs(ends) do
  local at = count * 5 + i * 4 - 3
  local stored = redis.call('HGET', relationships, field) or ''
  redis.call('HSET', relationships, field, edit_fields(stored, unpack_parts(given[at + 3])))
  redis.call('ZADD', relationships_ends, 0, '>' .. field, 0,
    '<' .. given[at + 2] .. '\0' .. given[at + 1] .. '\0' .. given[at])
end
local has_entities, has_relationships = redis.call('HLEN', entities), redis.call('HLEN', relationships)
set_count('entities', has_entities)
set_count('relationships', has_relationships)
local reply = remember_operation(operations,
  { s.created and 1 or 0, s.gen, s.revision, has_entities, has_relationships })
index_session(s, entities, relationships, relationships_ends)
count_totals(s.created and 1 or 0, 0, 0)
publish_change(rules, now, 'entities.saved', s.revision, 'entities', #names, 'relationships', #ends)
return reply
