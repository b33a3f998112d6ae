-- sessions.update: a narrow edit. A changed title bumps title_version and metadata_version, any other change of the
-- authoritative group metadata_version alone; host and runtime fields bump neither. An edit that changes nothing writes
-- nothing, and says nothing in the feed. Versions stay where they are once they can no longer be counted exactly.
--
-- KEYS
--   @session
-- ARGV
--   @write
--   sets    integer  how many pairs come first in `rest`
--   user    text     the new owner; empty: leave
--   rest    text...  names and values to set, then names to clear
-- REPLY   repeated changed gen revision title_version metadata_version updated_ms
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCNOTFOUND SCTORN SCSCHEMA
-- EMITS   session.updated session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
if err then
  return err
end
if s.created then
  return redis.error_reply('SCNOTFOUND there is no session ' .. id .. ' to update')
end
local given, _, at = take_pairs(rest, 1, sets)
local bump, title_bump, changed = 0, 0, {}
local function note(name)
  changed[#changed + 1] = name
  bump = field_group(name) == 'authoritative' and 1 or bump
  title_bump = name == 'title' and 1 or title_bump
end
local kept = {}
for i = 1, #given, 2 do
  local before = redis.call('HGET', record, given[i]) or (given[i] == 'pinned' and '0')
  if before ~= given[i + 1] then
    note(given[i])
    kept[#kept + 1] = given[i]
    kept[#kept + 1] = given[i + 1]
    if given[i] == 'pinned' then
      s.pinned = given[i + 1] == '1'
    end
  end
end
local cleared = {}
for i = at, #rest do
  if redis.call('HEXISTS', record, rest[i]) == 1 then
    note(rest[i])
    cleared[#cleared + 1] = rest[i]
  end
end
if #kept > 0 then
  err = refuse_fields(kept, cleared)
  if err then
    return err
  end
end
local moves = user ~= '' and user ~= s.user
local versions = redis.call('HMGET', record, 'title_version', 'metadata_version', 'title', 'pinned')
local title_version = math.min((tonumber(versions[1]) or 0) + title_bump, 9007199254740991)
local metadata_version = math.min((tonumber(versions[2]) or 0) + bump, 9007199254740991)
local title_text, metadata_text = string.format('%.0f', title_version), string.format('%.0f', metadata_version)
if #changed == 0 and not moves then
  return { '0', '0', s.gen, s.revision, title_text, metadata_text, s.updated_ms }
end
write_record(s, rules, now, 'title_version', title_text, 'metadata_version', metadata_text, unpack(kept))
if #cleared > 0 then
  redis.call('HDEL', record, unpack(cleared))
end
move_user(s, user)
local reply = remember_operation(operations, now, { '1', s.gen, s.revision, title_text, metadata_text, s.updated_ms })
index_session(s)
local values = redis.call('HMGET', record, 'title', 'pinned')
publish_change(rules, now, 'session.updated', s.revision, 'changed', table.concat(changed, ','),
  'title', values[1] or '', 'title_version', title_text, 'pinned', values[2] or '0', 'metadata_version', metadata_text)
return reply
