-- transcripts.stage: puts a part of a long transcript aside, where `transcripts.save` picks all of it up in one swap. The first
-- part reserves sequence numbers in the record, so that what others append meanwhile is numbered after them, and notes in an
-- entry of its own, 0-1, of which incarnation; none, where there is no session yet.
--
-- KEYS
--   @session
--   staging   stream
-- ARGV
--   @write
--   offset    integer  how many messages earlier parts held
--   total     integer  how many messages the transcript has
--   marks     text     one character a payload, as in transcripts.append
--   payloads  text...  the messages of this part
-- REPLY   first_seq of the whole transcript; 0 where the swap was done already, so that a repeat stages nothing
-- ERRORS  SCGONE SCCONFLICT SCLEASE SCRANGE SCTORN SCSCHEMA
-- EMITS   -
if recall_from(operations) or recall_from(tombstone) then
  return 0
end
local now = server_now_ms()
local s, err = load_session()
if err then
  return err
end
if s and not is_past(s, now) then
  err = refuse_stale(s)
  if err then
    return err
  end
end
local first = redis.call('XRANGE', staging, '1', '+', 'COUNT', 1)[1]
local first_seq = first and tonumber(string.match(first[1], '^%d+'))
local staged = math.max(redis.call('XLEN', staging) - 1, 0)
if staged < offset then
  return redis.error_reply('SCRANGE the parts staged before ran out of time: send the whole transcript again')
end
if staged > offset then
  return first_seq
end
if not first then
  first_seq = (s and s.seq or 0) + 1
  redis.call('XADD', staging, '0-1', 'gen', s and s.gen or '')
  if s then
    redis.call('HSET', record, 'seq', first_seq + total - 1)
  end
end
for i, payload in ipairs(payloads) do
  redis.call('XADD', staging, (first_seq + offset + i - 1) .. '-' .. now, string.sub(marks, i, i), payload)
end
redis.call('PEXPIRE', staging, 600000)
return first_seq
