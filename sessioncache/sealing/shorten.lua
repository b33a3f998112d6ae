-- sealing.shorten: swaps the first chunk for one without its oldest messages, which retention removes.
--
-- KEYS
--   @session
--   sealed  list
--   lease   hash
-- ARGV
--   id               text
--   now_override_ms  integer
--   lease_token      integer  0: none
--   gen              text     incarnation that was read
--   rewritten        integer  how often numbers were used anew, when it was read
--   known_place      text     what stood in front of the chunk, when it was read
--   place            text     what is to stand there
--   chunk            text
-- REPLY   messages bytes; 0 0 where somebody else has changed it meanwhile
-- ERRORS  SCLEASE SCTORN SCSCHEMA
-- EMITS   transcript.trimmed
local err = refuse_fenced()
if err then
  return err
end
local now = server_now_ms()
local s
s, err = peek_session(now)
if err then
  return err
end
local rules = load_policy()
if not s or not s.sealed or s.gen ~= gen or (s.pinned and rules.keep_pinned)
  or (tonumber(redis.call('HGET', record, 'rewritten')) or 0) ~= rewritten
  or redis.call('LINDEX', sealed, 0) ~= known_place then
  return { 0, 0 }
end
local before = chunk_place(sealed, 0)
-- Changes nothing, but a full server allows what stands behind a command that could have freed something.
redis.call('LTRIM', sealed, 0, -1)
redis.call('LSET', sealed, 0, place)
redis.call('LSET', sealed, 1, chunk)
local after = chunk_place(sealed, 0)
local messages, bytes = before.count - after.count, before.bytes - after.bytes
s.sealed.messages = s.sealed.messages - messages
note_sealed(s)
redis.call('HSET', record, 'first_seq', after.first_seq, 'messages', s.messages - messages, 'bytes', s.bytes - bytes,
  'revision', s.revision + 1)
count_totals(0, -messages, -bytes)
publish_change(rules, now, 'transcript.trimmed', s.revision + 1, 'first_seq', after.first_seq)
return { messages, bytes }
