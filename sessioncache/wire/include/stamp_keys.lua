-- stamp_keys: gives keys of the session the expiry that bounds memory where no worker runs: a grace of a tenth of the TTL
-- (at least a minute) after the deadline, spread by 5 % of the TTL so that sessions of one moment do not expire in one.
local function stamp_keys(s, ...)
  local spread = (tonumber(string.sub(s.gen, 1, 4), 16) or 0) / 65535
  local grace = math.max(60000, math.floor(s.ttl_ms * (0.05 + 0.1 * spread)))
  for _, key in ipairs({ ... }) do
    if key and s.deadline_ms == 0 then
      redis.call('PERSIST', key)
    elseif key then
      redis.call('PEXPIREAT', key, s.deadline_ms + grace)
    end
  end
end
