-- tail_start: the sequence number of the first message in the stream; 0 where it has none.
local function tail_start()
  local entry = redis.call('XRANGE', transcript, '-', '+', 'COUNT', 1)[1]
  return entry and tonumber(string.match(entry[1], '^%d+')) or 0
end
