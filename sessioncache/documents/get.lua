-- documents.get: named documents of a session, or all of them.
--
-- KEYS
--   @session
--   documents  hash
-- ARGV
--   id               text
--   now_override_ms  integer
--   names            text...  which; none: all
-- REPLY   gen revision name value …; of those asked for, those that there are; nil where there is no session
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local now = server_now_ms()
local s, err = peek_session(now)
if err or not s then
  return err or false
end
slide_after_read(s, now)
err = refuse_room('documents', redis.call('HLEN', documents))
if err then
  return err
end
local reply = { s.gen, s.revision }
if #names == 0 then
  for i, part in ipairs(redis.call('HGETALL', documents)) do
    reply[i + 2] = part
  end
  return reply
end
for _, name in ipairs(names) do
  local value = redis.call('HGET', documents, name)
  if value then
    reply[#reply + 1] = name
    reply[#reply + 1] = value
  end
end
return reply
