-- is_held: whether a lease that ends at a time is held. None can end later than the longest time that one is taken for: such a one was
-- written under a clock that ran ahead, and its holder may be dead. Whoever takes it over has a newer token, so a late holder is refused.
-- A minute more is let pass: a clock that was set right by seconds, or a replica's behind it, takes no lease from who has just got it.
local function is_held(until_ms, now, ttl_ms_max)
  local left_ms = (tonumber(until_ms) or 0) - now
  return left_ms > 0 and left_ms <= ttl_ms_max + 60000
end
