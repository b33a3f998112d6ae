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
--   dry_run          integer  1: only says what it would remove
--   skip_chunks      integer  what the call before has looked at, and left: chunks, in a dry run only
--   skip_after       integer  … messages of the stream up to this number, in front of none of which may be cut
--   skip_messages    integer  … and how many messages those are together
--   skip_bytes       integer
--   seen             text     how the head of the transcript was then
-- REPLY   messages bytes, of a dry run with those skipped; whether there is more; of a sealed transcript the time before which
--         messages of its first chunk are to go, or 0; then what the next call is to skip, as the arguments say it
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
local nothing = { 0, 0, 0, 0, 0, 0, 0, 0, '' }
if not s or s.messages == 0 or (s.pinned and rules.keep_pinned) then
  return nothing
end
local own = redis.call('HMGET', record, 'retain:messages', 'retain:bytes', 'retain:age_ms', 'rewritten')
local messages_kept = tonumber(own[1]) or keep_messages
local bytes_kept = tonumber(own[2]) or keep_bytes
local age_kept_ms = tonumber(own[3]) or keep_age_ms
if (messages_kept == 0 or s.messages <= messages_kept) and (bytes_kept == 0 or s.bytes <= bytes_kept) and age_kept_ms == 0 then
  -- Most sessions, most of the time: nothing of the transcript is read.
  return nothing
end
local head = s.gen .. ' ' .. s.first_seq .. ' ' .. (own[4] or '0')
if seen ~= head then
  skip_chunks, skip_after, skip_messages, skip_bytes = 0, 0, 0, 0
end
local function is_excess_chunk(place, messages_before, bytes_before)
  return (messages_kept > 0 and s.messages - messages_before - place.count >= messages_kept)
    or (bytes_kept > 0 and s.bytes - bytes_before - place.bytes >= bytes_kept)
    or (age_kept_ms > 0 and place.ms < now - age_kept_ms)
end
local function note_trimmed(messages, bytes)
  redis.call('HSET', record, 'first_seq', s.first_seq, 'last_seq', s.last_seq, 'messages', s.messages, 'bytes', s.bytes,
    'revision', s.revision + 1)
  count_totals(0, -messages, -bytes)
  publish_change(rules, now, 'transcript.trimmed', s.revision + 1, 'first_seq', s.first_seq)
end
if s.sealed and skip_chunks < s.sealed.chunks then
  local chunks, messages, bytes, full = plan_trim_sealed(s, skip_chunks, skip_messages, skip_bytes, is_excess_chunk)
  local first = skip_chunks + chunks
  local whole = first == s.sealed.chunks
  local sealed = room_key('sealed')
  local oldest = age_kept_ms > 0 and not whole and chunk_place(sealed, first)
  local cutoff = oldest and oldest.ms - oldest.span_ms < now - age_kept_ms and now - age_kept_ms or 0
  local more = chunks > 0 and (full or whole) and 1 or 0
  if dry_run == 1 then
    return { skip_messages + messages, skip_bytes + bytes, more, cutoff, first, 0, skip_messages + messages, skip_bytes + bytes, head }
  end
  if chunks > 0 then
    trim_sealed(s, chunks, messages, bytes)
    note_trimmed(messages, bytes)
  end
  return { messages, bytes, more, cutoff, 0, 0, 0, 0, '' }
end
local function is_excess(entry, index, bytes_before)
  return (messages_kept > 0 and s.messages - index + 1 > messages_kept)
    or (bytes_kept > 0 and s.bytes - bytes_before > bytes_kept)
    or (age_kept_ms > 0 and tonumber(string.match(entry[1], '%-(%d+)$')) < now - age_kept_ms)
end
local entries = redis.call('XRANGE', transcript, string.format('%.0f', skip_after + 1), '+', 'COUNT', 501)
local cut, cut_bytes, bytes, looked, following = 0, 0, skip_bytes, 0, nil
for i, entry in ipairs(entries) do
  if entry[2][1] == 'm' then
    cut, cut_bytes, following = skip_messages + i - 1, bytes, entry
  end
  if i > 500 or not is_excess(entry, skip_messages + i, bytes) then
    break
  end
  bytes, looked = bytes + #entry[2][2], i
  if skip_messages + i == s.messages then
    cut, cut_bytes, following = s.messages, bytes, nil
  end
end
if cut == 0 or dry_run == 1 then
  local last = looked == 500 and #entries > 500 and tonumber(string.match(entries[500][1], '^%d+'))
  return { cut, cut > 0 and cut_bytes or 0, last and 1 or 0, 0, skip_chunks, last or 0, skip_messages + looked, bytes, head }
end
if following then
  redis.call('XTRIM', transcript, 'MINID', '=', following[1])
else
  redis.call('UNLINK', transcript)
end
s.first_seq = following and tonumber(string.match(following[1], '^%d+')) or 0
s.last_seq = following and s.last_seq or 0
s.messages, s.bytes = s.messages - cut, s.bytes - cut_bytes
note_trimmed(cut, cut_bytes)
return { cut, cut_bytes, #entries > 500 and 1 or 0, 0, 0, 0, 0, 0, '' }
