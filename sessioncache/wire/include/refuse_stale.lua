-- refuse_stale: an error where the write is based on another incarnation, another revision or an older lease.
-- A session that is only being created has revision 0, so a base revision of 0 means: only if there is none.
local function refuse_stale(s)
  if base_gen ~= '' and base_gen ~= s.gen then
    return redis.error_reply('SCGONE the session that this write is based on was deleted or has expired')
  end
  if base_revision and base_revision ~= s.revision then
    if s.revision == 0 then
      return redis.error_reply('SCGONE the session that this write is based on was deleted or has expired')
    end
    local expected = string.format('%.0f', base_revision)
    return redis.error_reply('SCCONFLICT ' .. expected .. ' ' .. s.revision ..
      ' the write is based on revision ' .. expected .. ', the session is at ' .. s.revision)
  end
  local newest = fence and newest_token(s.fence)
  if fence and fence < newest then
    return redis.error_reply('SCLEASE the lease with token ' .. string.format('%.0f', fence) .. ' is lost: there is token ' ..
      string.format('%.0f', newest))
  end
end
