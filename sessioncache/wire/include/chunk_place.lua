-- chunk_place: what stands in front of chunk number `at`, counted from 0, or from the end if negative: the sequence numbers that it
-- spans, how many messages it has, their bytes, the time of its newest, how much older its oldest is, and the mark of its first.
local function chunk_place(sealed, at)
  local line = redis.call('LINDEX', sealed, 2 * at) or ''
  local first_seq, last_seq, count, bytes, ms, span_ms, mark = string.match(line, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%a)$')
  return {
    first_seq = tonumber(first_seq) or 0, last_seq = tonumber(last_seq) or 0, count = tonumber(count) or 0,
    bytes = tonumber(bytes) or 0, ms = tonumber(ms) or 0, span_ms = tonumber(span_ms) or 0, mark = mark,
  }
end
