-- documents.save: sets named documents of a session, and removes those given an empty value; the others stay. Creates the session
-- where there is none.
--
-- KEYS
--   @session
--   documents  hash
-- ARGV
--   @write
--   user   text     whose session it is, if this call creates it; empty: the default user
--   given  text...  names and values
-- REPLY   repeated created gen revision count
-- ERRORS  SCFORGOTTEN SCGONE SCCONFLICT SCLEASE SCLIMIT SCTORN SCSCHEMA
-- EMITS   documents.saved session.expired
local done = recall_operation()
if done then
  return done
end
local now = server_now_ms()
local s, rules, err = open_session(now)
err = err or refuse_documents(rules, documents, given)
if err then
  return err
end
take_user(s, user)
write_record(s, rules, now)
local count = put_documents(documents, given)
set_count('documents', count)
local reply = remember_operation(operations, now, { s.created and 1 or 0, s.gen, s.revision, count })
index_session(s, documents)
count_totals(s.created and 1 or 0, 0, 0)
local names = {}
for i = 1, #given, 2 do
  names[#names + 1] = given[i]
end
publish_change(rules, now, 'documents.saved', s.revision, 'names', table.concat(names, ','))
return reply
