-- room_key: a key of one of the session's rooms, for scripts that touch rooms only now and then and so do not declare them: it lies
-- in the slot of the record. A script of the room itself declares its keys.
local function room_key(suffix)
  return record .. ':' .. suffix
end
