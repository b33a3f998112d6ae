-- refuse_sums: an error where the sums of the usage log do not speak of as many lines as were ever appended.
local function refuse_sums(length)
  local appended = length + (tonumber(redis.call('HGET', record, 'x:usage')) or 0)
  local summed = tonumber(redis.call('HGET', usage_totals, 'lines')) or 0
  if summed ~= appended then
    return redis.error_reply('SCTORN session ' .. id .. ': its usage log had ' .. appended .. ' lines, its sums speak of ' .. summed)
  end
end
