-- trim_sealed: removes so many of the oldest chunks, which hold so many messages and bytes.
local function trim_sealed(s, chunks, messages, bytes)
  local sealed = room_key('sealed')
  redis.call('LTRIM', sealed, 2 * chunks, -1)
  s.sealed.chunks, s.sealed.messages = s.sealed.chunks - chunks, s.sealed.messages - messages
  s.messages, s.bytes = s.messages - messages, s.bytes - bytes
  s.first_seq = s.sealed.chunks > 0 and chunk_place(sealed, 0).first_seq or tail_start()
  s.last_seq = s.messages > 0 and s.last_seq or 0
  note_sealed(s)
end
