-- usage.totals: the sums of a session's usage log, right even where old lines were dropped.
--
-- KEYS
--   @session
--   usage         list
--   usage_totals  hash
-- ARGV
--   id               text
--   now_override_ms  integer
-- REPLY   gen revision name number …; nil where there is no session
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local now = server_now_ms()
local s, err = peek_session(now)
if err or not s then
  return err or false
end
slide_after_read(s, now)
local length = redis.call('LLEN', usage)
err = refuse_room('usage', length) or refuse_sums(length)
if err then
  return err
end
local reply = { s.gen, s.revision }
for i, part in ipairs(redis.call('HGETALL', usage_totals)) do
  reply[i + 2] = part
end
return reply
