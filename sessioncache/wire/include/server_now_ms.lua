-- server_now_ms: the server's clock in milliseconds since 1970; tests may set it.
local function server_now_ms()
  if now_override_ms then
    return now_override_ms
  end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
