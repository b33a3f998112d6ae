-- put_documents: sets named documents; an empty value removes one. Answers how many there are now.
local function put_documents(documents, given)
  local sets, clears = split_pairs(given)
  if #sets > 0 then
    redis.call('HSET', documents, unpack(sets))
  end
  if #clears > 0 then
    redis.call('HDEL', documents, unpack(clears))
  end
  return redis.call('HLEN', documents)
end
