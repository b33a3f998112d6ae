-- freshness.invalidate: marks sources of a session stale, those of the given entries that still come from the file.
--
-- KEYS
--   @session
--   sources  hash
-- ARGV
--   @write
--   path     text     escaped path of the file
--   entries  text...  escaped ids, 500 at most
-- REPLY   repeated entry…; the entries that are stale now, also those that were
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCTORN SCSCHEMA
-- EMITS   freshness.invalidated session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
err = err or refuse_room('sources', redis.call('HLEN', sources))
if err then
  return err
end
local marked, found = {}, {}
for _, entry in ipairs(entries) do
  local stored = redis.call('HGET', sources, entry)
  local parts = stored and unpack_parts(stored) or {}
  if parts[1] == path then
    found[#found + 1] = entry
    for i = 2, #parts, 2 do
      if parts[i] == 'status' and parts[i + 1] ~= '1' then
        parts[i + 1] = '1'
        marked[#marked + 1] = { entry, pack_parts(parts) }
      end
    end
  end
end
if #marked == 0 then
  return { '0', unpack(found) }
end
write_record(s, rules, now)
for _, source in ipairs(marked) do
  redis.call('HSET', sources, source[1], source[2])
end
local reply = remember_operation(operations, now, found)
index_session(s)
publish_change(rules, now, 'freshness.invalidated', s.revision, 'path', path, 'entries', #marked)
return reply
