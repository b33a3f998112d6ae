-- unpack_reply: the parts of what pack_reply made one string of.
local function unpack_reply(packed)
  if string.byte(packed) == 31 then
    return split_text(string.sub(packed, 2), '\31')
  end
  return unpack_parts(packed)
end
