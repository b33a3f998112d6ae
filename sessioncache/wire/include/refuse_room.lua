-- refuse_room: an error where a room of the session does not hold as many entries as the record says.
local function refuse_room(room, length)
  local counted = tonumber(redis.call('HGET', record, 'n:' .. room)) or 0
  if counted ~= length then
    return redis.error_reply('SCTORN session ' .. id .. ': the record counts ' .. counted .. ' ' .. room .. ', there are ' .. length)
  end
end
