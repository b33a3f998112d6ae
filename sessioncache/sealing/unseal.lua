-- sealing.unseal: swaps the last chunks for the messages in them, so that they can be replaced or popped. Nothing is done where
-- somebody else has sealed, opened or rewritten meanwhile.
--
-- KEYS
--   @session
--   sealed  list
-- ARGV
--   id               text
--   now_override_ms  integer
--   gen              text     as sealing.open answered
--   rewritten        integer
--   known            text
--   opened           integer  how many chunks
--   entries          text...  all that is in them: sequence number, time, mark and payload
-- REPLY   1, or 0 where nothing was done
-- ERRORS  SCRANGE SCTORN SCSCHEMA
-- EMITS   -
local s, err = peek_session(server_now_ms())
if err then
  return err
end
if not s or not s.sealed or s.gen ~= gen then
  return 0
end
local v = redis.call('HMGET', record, 'rewritten', 'sealed')
if (tonumber(v[1]) or 0) ~= rewritten or v[2] ~= known then
  return 0
end
local tail = redis.call('XRANGE', transcript, '-', '+', 'COUNT', 501)
if #tail > 500 then
  return redis.error_reply('SCRANGE more than 500 messages follow those that are sealed')
end
-- Denied to a full server, so it stands in front.
redis.call('HINCRBY', record, 'rewritten', 1)
redis.call('UNLINK', transcript)
for i = 1, #entries, 4 do
  redis.call('XADD', transcript, entries[i] .. '-' .. entries[i + 1], entries[i + 2], entries[i + 3])
end
for _, entry in ipairs(tail) do
  redis.call('XADD', transcript, entry[1], entry[2][1], entry[2][2])
end
redis.call('LTRIM', sealed, 0, -2 * opened - 1)
local chunks = s.sealed.chunks - opened
s.sealed = {
  chunks = chunks, messages = s.sealed.messages - #entries / 4,
  last_seq = chunks > 0 and chunk_place(sealed, chunks - 1).last_seq or 0,
}
note_sealed(s)
stamp_keys(s, transcript)
return 1
