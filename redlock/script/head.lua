-- The head of ACQUIRE, RAISE and EXTEND: may this node vote on these names for
-- this client, and what stands at them? Each script lists the whole of its
-- KEYS, ARGV and replies.
--
-- It answers {-1}, {-3,cfg,self} and {-5,i} by itself, in this order. The order
-- matters: a node that lost its memory knows no configuration to compare, and
-- what stands at a key concerns only a client that speaks of the same cluster.

-- The record's hot part is one string, because every call needs all of it and
-- only admission changes it. A retired node keeps the string with an empty
-- incarnation, which %x+ does not match.
local rec = redis.call('HMGET',KEYS[1],'adm','hw','mark','omark','turned')
local inc, floor, maxttl, keep, self, cfg = string.match(rec[1] or '','^(%x+) (%d+) (%d+) (%d+) (%d+) (.*)$')
if not inc then return {-1} end
local info = redis.call('INFO','replication')
if not string.find(info,'role:master\r',1,true) or not string.find(info,'master_replid:'..inc..'\r',1,true) then return {-1} end
if cfg ~= ARGV[1] or self ~= ARGV[2] then return {-3,cfg,self} end

-- c: the highest counter among the names. taken: some key stands. other: some
-- key is another's. mine: every key is mine. live: every fence was assigned in
-- this life of the node. even: all fences are equal.
local id = ARGV[3]
floor, maxttl = tonumber(floor), tonumber(maxttl)
local c, wait, first = floor, 0, nil
local taken, other, mine, live, even = false, false, true, true, true
for i = 4,#KEYS do
  local key = KEYS[i]
  local cur = redis.pcall('GET',key)
  if cur then
    if type(cur) == 'table' then
      if string.find(cur.err,'WRONGTYPE',1,true) then return {-5,i-3} end
      return cur
    end
    local left = redis.call('PTTL',key)
    if left < 0 then return {-5,i-3} end
    if left > wait then wait = left end
    taken = true
    if cur ~= id then mine, other = false, true end
  else
    mine = false
  end
  local fence = redis.call('HGET',KEYS[2],key) or redis.call('HGET',KEYS[3],key)
  local v = tonumber(fence or rec[3]) -- absent from both: mark covers whatever was dropped
  if not fence or v <= floor then live = false end
  if v ~= (first or v) then even = false end
  first = first or v
  if v > c then c = v end
end
local now = redis.call('TIME')
now = now[1]*1000000+now[2]

-- put writes the fence of every name, s being v in decimal. hw goes first: a
-- write that fails half-way must leave it too high, never too low.
local function put(v,s)
  local turned = tonumber(rec[5])
  if now < turned then
    redis.call('HSET',KEYS[1],'turned',string.format('%.0f',now))
  elseif now >= turned+keep*1000 then
    -- The marks rise before the fences that they cover go, and omark takes hw
    -- as it was: this write is in the new table and needs no cover.
    redis.call('HSET',KEYS[1],'mark',rec[4],'omark',rec[2],'turned',string.format('%.0f',now))
    redis.call('UNLINK',KEYS[3]) -- RENAME alone would free a large table on the spot
    if redis.call('EXISTS',KEYS[2]) == 1 then redis.call('RENAME',KEYS[2],KEYS[3]) end
  end
  if v > tonumber(rec[2]) then redis.call('HSET',KEYS[1],'hw',s) end
  for i = 4,#KEYS do redis.call('HSET',KEYS[2],KEYS[i],s) end
end
