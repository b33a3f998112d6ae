-- mention_times: names and values of an entity's first and last mention, after one more mention at the given times (nil: now).
local function mention_times(stored, first, last, now)
  local had_first = tonumber(read_field(stored, 'first_mentioned_ms'))
  local had_last = tonumber(read_field(stored, 'last_mentioned_ms'))
  first, last = first or last or now, last or now
  return {
    'first_mentioned_ms', string.format('%.0f', math.min(first, had_first or first)),
    'last_mentioned_ms', string.format('%.0f', math.max(last, had_last or last)),
  }
end
