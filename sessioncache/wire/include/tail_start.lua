-- tail_start: the sequence number of the first message in the stream, and its time; 0 where it has none.
local function tail_start()
  local entry = redis.call('XRANGE', transcript, '-', '+', 'COUNT', 1)[1]
  local seq, ms = string.match(entry and entry[1] or '0-0', '^(%d+)-(%d+)$')
  return tonumber(seq), tonumber(ms)
end
