-- usage.list: lines of a session's token usage between two positions, oldest first, counted from either end.
--
-- KEYS
--   @session
--   usage  list
-- ARGV
--   id               text
--   now_override_ms  integer
--   start            integer  first position to answer; empty: the oldest
--   stop             integer  last position to answer; empty: the newest
--   limit            integer  most entries to answer
--   newest           integer  1: count the limit from the end
-- REPLY   gen revision count dropped first entries; an entry is the time, a space, and the payload; nil where there is no session
-- ERRORS  SCTORN SCSCHEMA
-- EMITS   -
local now = server_now_ms()
local s, err = peek_session(now)
if err or not s then
  return err or false
end
slide_after_read(s, now)
local page, damage = read_log(usage, 'usage', start, stop, limit, newest)
if damage then
  return damage
end
return { s.gen, s.revision, unpack(page) }
