-- upkeep.trim: removes a transcript's oldest messages beyond what its retention keeps, 500 at most. It never cuts in front of a
-- message that continues the one before it (mark c), so that a tool's result is not parted from its call. Of what is sealed, whole
-- chunks go, 100 at most; sealing.shorten removes a part of one. Works on a full server, for it frees before it writes.
--
-- KEYS
--   @session
--   lease  hash
-- ARGV
--   id               text
--   now_override_ms  integer
--   lease_token      integer  0: none
--   keep_messages    integer  of the namespace; 0: all. The session's own retention comes first
--   keep_bytes       integer
--   keep_age_ms      integer
-- REPLY   messages bytes more, then of a sealed transcript the time before which messages of its first chunk are to go, or 0
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
if not s or s.messages == 0 or (s.pinned and rules.keep_pinned) then
  return { 0, 0, 0 }
end
local own = redis.call('HMGET', record, 'retain:messages', 'retain:bytes', 'retain:age_ms')
local messages_kept = tonumber(own[1]) or keep_messages
local bytes_kept = tonumber(own[2]) or keep_bytes
local age_kept_ms = tonumber(own[3]) or keep_age_ms
if (messages_kept == 0 or s.messages <= messages_kept) and (bytes_kept == 0 or s.bytes <= bytes_kept) and age_kept_ms == 0 then
  -- Most sessions, most of the time: nothing of the transcript is read.
  return { 0, 0, 0 }
end
local function is_excess_chunk(place, messages_before, bytes_before)
  return (messages_kept > 0 and s.messages - messages_before - place.count >= messages_kept)
    or (bytes_kept > 0 and s.bytes - bytes_before - place.bytes >= bytes_kept)
    or (age_kept_ms > 0 and place.ms < now - age_kept_ms)
end
if s.sealed then
  local messages, bytes, more = trim_sealed(s, is_excess_chunk)
  if messages > 0 then
    redis.call('HSET', record, 'first_seq', s.first_seq, 'last_seq', s.last_seq, 'messages', s.messages, 'bytes', s.bytes,
      'revision', s.revision + 1)
    count_totals(0, -messages, -bytes)
    publish_change(rules, now, 'transcript.trimmed', s.revision + 1, 'first_seq', s.first_seq)
  end
  local sealed = room_key('sealed')
  local oldest = age_kept_ms > 0 and s.sealed and chunk_place(sealed, 0)
  local is_partly_old = oldest and oldest.ms - oldest.span_ms < now - age_kept_ms
  return { messages, bytes, more and 1 or 0, is_partly_old and now - age_kept_ms or 0 }
end
local function is_excess(entry, index, bytes_before)
  return (messages_kept > 0 and s.messages - index + 1 > messages_kept)
    or (bytes_kept > 0 and s.bytes - bytes_before > bytes_kept)
    or (age_kept_ms > 0 and tonumber(string.match(entry[1], '%-(%d+)$')) < now - age_kept_ms)
end
local entries = redis.call('XRANGE', transcript, '-', '+', 'COUNT', 501)
local cut, cut_bytes, bytes = 0, 0, 0
for i, entry in ipairs(entries) do
  if entry[2][1] == 'm' then
    cut, cut_bytes = i - 1, bytes
  end
  if i > 500 or not is_excess(entry, i, bytes) then
    break
  end
  bytes = bytes + #entry[2][2]
  if i == s.messages then
    cut, cut_bytes = i, bytes
  end
end
if cut == 0 then
  return { 0, 0, 0 }
end
local following = entries[cut + 1]
if following then
  redis.call('XTRIM', transcript, 'MINID', '=', following[1])
else
  redis.call('UNLINK', transcript)
end
s.first_seq = following and tonumber(string.match(following[1], '^%d+')) or 0
s.last_seq = following and s.last_seq or 0
s.messages, s.bytes = s.messages - cut, s.bytes - cut_bytes
redis.call('HSET', record, 'first_seq', s.first_seq, 'last_seq', s.last_seq, 'messages', s.messages, 'bytes', s.bytes,
  'revision', s.revision + 1)
count_totals(0, -cut, -cut_bytes)
publish_change(rules, now, 'transcript.trimmed', s.revision + 1, 'first_seq', s.first_seq)
return { cut, cut_bytes, #entries > 500 and 1 or 0 }
