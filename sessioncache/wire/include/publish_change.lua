-- publish_change: one entry in the shard's feed. Entries are numbered without gaps, so that a reader sees what was trimmed.
-- A counter that lags behind the stream (the totals were lost) is set right from the stream itself. Every 16th entry trims.
local function publish_change(rules, now, kind, revision, ...)
  local number = redis.call('HINCRBY', totals, 'feed_seq', 1)
  local added
  if number % 16 == 0 then
    added = redis.pcall('XADD', feed, 'MAXLEN', '~', rules.feed_items, number .. '-' .. now, 'kind', kind, 'id', id,
      'revision', revision, ...)
  else
    added = redis.pcall('XADD', feed, number .. '-' .. now, 'kind', kind, 'id', id, 'revision', revision, ...)
  end
  if type(added) == 'table' and added.err then
    local last = redis.call('XREVRANGE', feed, '+', '-', 'COUNT', 1)[1]
    number = (last and tonumber(string.match(last[1], '^%d+')) or number) + 1
    redis.call('HSET', totals, 'feed_seq', number)
    redis.call('XADD', feed, number .. '-' .. now, 'kind', kind, 'id', id, 'revision', revision, ...)
  end
end
