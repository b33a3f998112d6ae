-- load_policy: the shard's retention policy; a field that was never written has the default of RetentionPolicy.
local function load_policy()
  local stored = redis.call('HMGET', policy, 'ttl_ms', 'keep_pinned', 'slide_on_read', 'feed_items', 'quota_messages',
    'quota_bytes', 'quota_entries')
  return {
    ttl_ms = tonumber(stored[1]) or 604800000,
    keep_pinned = stored[2] ~= '0',
    slide_on_read = stored[3] == '1',
    feed_items = tonumber(stored[4]) or 10000,
    quota_messages = tonumber(stored[5]) or 100000,
    quota_bytes = tonumber(stored[6]) or 268435456,
    quota_entries = tonumber(stored[7]) or 100000,
  }
end
