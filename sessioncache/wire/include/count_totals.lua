-- count_totals: what the mutation adds to the shard's totals.
local function count_totals(sessions, messages, bytes)
  if sessions ~= 0 then
    redis.call('HINCRBY', totals, 'sessions', sessions)
  end
  if messages ~= 0 then
    redis.call('HINCRBY', totals, 'messages', messages)
  end
  if bytes ~= 0 then
    redis.call('HINCRBY', totals, 'bytes', bytes)
  end
end
