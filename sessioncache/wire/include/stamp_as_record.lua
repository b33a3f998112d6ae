-- stamp_as_record: gives a key that the session has anew the expiry that its record says; nothing where there is no record.
local function stamp_as_record(key)
  local v = redis.call('HMGET', record, 'gen', 'deadline_ms', 'ttl_ms')
  if v[1] and v[2] then
    stamp_keys({ gen = v[1], deadline_ms = tonumber(v[2]), ttl_ms = tonumber(v[3]) }, key)
  end
end
