-- sealing.seal: swaps the oldest messages of the stream for chunks, unless anything but appends was written since they were read.
-- Whoever reads sees no difference: revision, counters and feed stay as they are. A session that nobody has written to for long is
-- sealed whole, and forgets the ids of its last operations. Works on a full server, for it frees before it writes.
--
-- KEYS
--   @session
--   sealed        list
--   dictionaries  hash
--   lease         hash
-- ARGV
--   id               text
--   now_override_ms  integer
--   lease_token      integer  0: none
--   gen              text     incarnation that was read
--   rewritten        integer  how often numbers were used anew, when it was read
--   known            text     what the record said of the sealed part, when it was read
--   idle_ms          integer  the session is sealed whole, if so long nobody has written to it; empty: its head is sealed
--   first_seq        integer  of the messages that are swapped
--   last_seq         integer
--   count            integer
--   reopened         integer  1: the chunks replace the last one that was there, too
--   dictionary       text     that the chunks need; empty: none
--   chunks           text...  each behind its place
-- REPLY   sealed; changed, where nothing was done; or dictionary, where the shard does not have that
-- ERRORS  SCLEASE SCTORN SCSCHEMA
-- EMITS   -
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
if not s or s.gen ~= gen then
  return 'changed'
end
local v = redis.call('HMGET', record, 'rewritten', 'sealed', 'written_ms')
if (tonumber(v[1]) or 0) ~= rewritten or (v[2] or '') ~= known or tail_start() ~= first_seq then
  return 'changed'
end
local final = string.format('%.0f', last_seq)
local newest = redis.call('XRANGE', transcript, final, final)[1]
if not newest or (tail_length(s) == count) ~= (last_seq == s.last_seq) then
  return 'changed'
end
if idle_ms and (last_seq ~= s.last_seq or now - math.max(s.updated_ms, tonumber(v[3]) or 0) < idle_ms) then
  return 'changed'
end
if dictionary ~= '' and redis.call('HEXISTS', dictionaries, dictionary) == 0 then
  return 'dictionary'
end
local held = redis.pcall('LLEN', sealed)
if held ~= 2 * (s.sealed and s.sealed.chunks or 0) then
  return redis.error_reply('SCTORN session ' .. id .. ': the key for its sealed messages holds something else')
end
if last_seq == s.last_seq then
  redis.call('UNLINK', transcript)
else
  redis.call('XTRIM', transcript, 'MINID', '=', string.format('%.0f', last_seq + 1))
end
if idle_ms then
  redis.call('UNLINK', operations)
end
if reopened == 1 then
  redis.call('LTRIM', sealed, 0, -3)
end
redis.call('RPUSH', sealed, unpack(chunks))
if dictionary ~= '' then
  -- Whoever removes dictionaries that nothing needs learns from this that somebody has begun to need it.
  redis.call('HINCRBY', totals, 'used:' .. dictionary, 1)
end
local before = s.sealed or { chunks = 0, messages = 0 }
s.sealed = { chunks = before.chunks - reopened + #chunks / 2, messages = before.messages + count, last_seq = last_seq }
note_sealed(s)
stamp_keys(s, sealed)
return 'sealed'
