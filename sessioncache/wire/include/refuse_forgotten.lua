-- refuse_forgotten: an error where a write that is sent again, and is not remembered, may have been done and forgotten since it was
-- sent first: since_ms, by this server's clock, or earlier. It was not done where the list goes back to before that, or still has a
-- write that was answered before that (anchor). Otherwise a full list may have lost it; and so may a session that was sealed whole, which
-- takes ten minutes, or a tombstone that is gone, after an hour.
local function refuse_forgotten()
  if not since_ms or (anchor ~= '' and redis.call('LPOS', operations, anchor)) then
    return nil
  end
  local now, listed, buried = server_now_ms(), kept_since(operations), kept_since(tombstone)
  if listed and listed < since_ms and since_ms <= now then
    return nil
  end
  local lasts = redis.call('EXISTS', record) == 1 and 600000 or 3600000
  if redis.call('LLEN', operations) >= 32 or (redis.call('LLEN', tombstone) >= 32 and buried >= since_ms) or now - since_ms >= lasts then
    return redis.error_reply('SCFORGOTTEN it is unknown whether this write to session ' .. id .. ' was done: its answer was lost, and 16 ' ..
      'others or 10 minutes have come since, so the server may have forgotten its operation id. This repeat wrote nothing; read the ' ..
      'session, and write again under a new operation id if it is missing')
  end
end
