-- note_sealed: the record says what is sealed.
local function note_sealed(s)
  if s.sealed.chunks == 0 then
    redis.call('HDEL', record, 'sealed')
    s.sealed = nil
  else
    redis.call('HSET', record, 'sealed', s.sealed.chunks .. ' ' .. s.sealed.messages .. ' ' .. s.sealed.last_seq)
  end
end
