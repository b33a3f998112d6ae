-- freshness.register: says where an entry of a session comes from; what was said before is replaced, and the entry is fresh. Creates
-- the session where there is none.
--
-- KEYS
--   @session
--   sources  hash
-- ARGV
--   @write
--   user   text     whose session it is, if this call creates it; empty: the default user
--   entry  text     escaped id of the entry
--   path   text     escaped path of the file
--   given  text...  names and values
-- REPLY   repeated created gen revision count
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
-- EMITS   freshness.registered session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
local before = redis.call('HLEN', sources)
err = err or refuse_room('sources', before)
if err then
  return err
end
local stored = redis.call('HGET', sources, entry)
local old_path = stored and path_of(stored)
err = refuse_count(rules, 'sources', before + (stored and 0 or 1))
if err then
  return err
end
take_user(s, user)
write_record(s, rules, now)
if old_path then
  redis.call('ZREM', links, 'p\0' .. old_path .. '\0' .. entry .. '\0' .. id)
end
local parts = { path, 'status', 0, 'registered_us', server_now_us(), unpack(given) }
redis.call('HSET', sources, entry, pack_parts(parts))
redis.call('ZADD', links, 0, 'f\0' .. entry .. '\0' .. id, 0, 'p\0' .. path .. '\0' .. entry .. '\0' .. id)
local count = redis.call('HLEN', sources)
set_count('sources', count)
local reply = remember_operation(operations, now, { s.created and 1 or 0, s.gen, s.revision, count })
index_session(s, sources)
count_totals(s.created and 1 or 0, 0, 0)
publish_change(rules, now, 'freshness.registered', s.revision, 'entry', entry, 'path', path)
return reply
