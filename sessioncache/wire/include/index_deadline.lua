-- index_deadline: the shard's list of what expires when follows the record.
local function index_deadline(s)
  if s.deadline_ms == 0 then
    redis.call('ZREM', deadlines, id)
  else
    redis.call('ZADD', deadlines, s.deadline_ms, id)
  end
end
