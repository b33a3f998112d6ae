-- sealing.open: the chunks from the one that holds a message on, for whoever is about to write there, and what else it has to know.
--
-- KEYS
--   @session
--   sealed  list
-- ARGV
--   id               text
--   now_override_ms  integer
--   seq              integer
-- REPLY   gen rewritten known, then chunks, each behind its place; nil where nothing there is sealed
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local s, err = peek_session(server_now_ms())
if err then
  return err
end
if not s or not s.sealed or seq > s.sealed.last_seq then
  return false
end
local v = redis.call('HMGET', record, 'rewritten', 'sealed')
return { s.gen, tonumber(v[1]) or 0, v[2], redis.call('LRANGE', sealed, 2 * find_chunk(sealed, s.sealed.chunks, seq), -1) }
