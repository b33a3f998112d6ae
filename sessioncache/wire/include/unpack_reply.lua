-- unpack_reply: the parts of what pack_reply made one string of. Earlier releases kept no time, and no byte 30.
local function unpack_reply(packed)
  local form, start = string.match(packed, '^%d*([\30\31])()')
  if form == '\31' then
    return split_text(string.sub(packed, start), '\31')
  end
  return unpack_parts(string.sub(packed, start or 1))
end
