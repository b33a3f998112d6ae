-- find_chunk: the number of the first chunk that ends at the sequence number or behind it, by halves.
local function find_chunk(sealed, chunks, seq)
  local low, high = 0, chunks - 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if chunk_place(sealed, middle).last_seq >= seq then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end
