-- refuse_documents: an error where there are not as many documents as the record says, or would be more than the policy allows.
local function refuse_documents(rules, documents, given)
  local count = redis.call('HLEN', documents)
  local err = refuse_room('documents', count)
  if err or rules.quota_entries == 0 or count + #given / 2 <= rules.quota_entries then
    return err
  end
  for i = 1, #given, 2 do
    if given[i + 1] ~= '' and redis.call('HEXISTS', documents, given[i]) == 0 then
      count = count + 1
    end
  end
  return refuse_count(rules, 'documents', count)
end
