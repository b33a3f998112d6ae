-- put_documents: sets named documents; an empty value removes one. Answers how many there are now.
local function put_documents(documents, given)
  local sets, clears = split_pairs(given)
  for i = 1, #sets, 2 do
    redis.call('HSET', documents, sets[i], sets[i + 1])
  end
  for _, name in ipairs(clears) do
    redis.call('HDEL', documents, name)
  end
  return redis.call('HLEN', documents)
end
