-- server_now_us: the server's clock in microseconds since 1970, as text, to tell which of two writes to two sessions came last.
local function server_now_us()
  if now_override_ms then
    return string.format('%.0f000', now_override_ms)
  end
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000000 + time[2])
end
