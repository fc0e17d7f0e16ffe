-- Writes v, in decimal s, as the fence of every name; stands in ACQUIRE, RAISE
-- and EXTEND. hw goes first: a write that fails half-way must leave it too high,
-- never too low.
turned = turned+0
if now < turned then
  call('HSET',KEYS[1],'turned',string.format('%.0f',now))
elseif now >= turned+keep*1000 then
  -- The marks rise before the fences that they cover go, and omark takes hw
  -- as it was: this write is in the new table and needs no cover.
  call('HSET',KEYS[1],'mark',call('HGET',KEYS[1],'omark'),'omark',hw,'turned',string.format('%.0f',now))
  call('UNLINK',KEYS[3]) -- RENAME alone would free a large table on the spot
  if call('EXISTS',KEYS[2]) == 1 then call('RENAME',KEYS[2],KEYS[3]) end
end
if v > hw+0 then call('HSET',KEYS[1],'hw',s) end
for i = 4,#KEYS do call('HSET',KEYS[2],KEYS[i],s) end
