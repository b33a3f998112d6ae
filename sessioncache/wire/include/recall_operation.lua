-- recall_operation: the first reply to this operation id, or nil if it was not seen. Looks at the session and at the tombstone,
-- so that a late repeat neither doubles a write nor brings a deleted session back. An error where it may have been seen and forgotten.
local function recall_operation()
  return recall_from(operations) or recall_from(tombstone) or refuse_forgotten()
end
