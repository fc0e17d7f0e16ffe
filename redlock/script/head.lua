-- The head of ACQUIRE, RAISE and EXTEND: may this node vote on these names for
-- this client, and what stands at them? Each script lists the whole of its
-- KEYS, ARGV and replies.
--
-- It answers {-1}, {-3,cfg,self} and {-5,i} by itself, in this order. The order
-- matters: a node that lost its memory knows no configuration to compare, and
-- what stands at a key concerns only a client that speaks of the same cluster.
--
-- It is written to cost little (docs/benchmarks.md): what few calls need is
-- fetched when they do, patterns run over short texts, an argument that is only
-- calculated with is left to Lua's own conversion.

-- The record's hot part is one string, because every call needs all of it and
-- only admission changes it. A retired node keeps the string with an empty
-- incarnation, which must never match.
local call = redis.call
local rec = call('HMGET',KEYS[1],'adm','hw','turned')
local adm, hw, turned = rec[1], rec[2], rec[3]
if not adm then return {-1} end
local gap, info = string.find(adm,' ',1,true), redis.call('INFO','replication')
local inc = string.sub(adm,1,gap-1)
if inc == '' or not string.find(info,'role:master\r',1,true) or not string.find(info,'master_replid:'..inc..'\r',1,true) then return {-1} end
local floor, maxttl, keep, at = string.match(adm,'^(%d+) (%d+) (%d+) ()',gap+1)
if string.sub(adm,at) ~= ARGV[1] then
  local self, cfg = string.match(adm,'^(%d+) (.*)$',at)
  return {-3,cfg,self}
end

-- c: the highest counter among the names. taken: some key stands. other: some
-- key is another's. mine: every key is mine. live: every fence was assigned in
-- this life of the node. even: all fences are equal.
local id = ARGV[2]
floor, maxttl = floor+0, maxttl+0
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
    local left = call('PTTL',key)
    if left < 0 then return {-5,i-3} end
    if left > wait then wait = left end
    taken = true
    if cur ~= id then mine, other = false, true end
  else
    mine = false
  end
  local fence = call('HGET',KEYS[2],key) or call('HGET',KEYS[3],key)
  local v = (fence or call('HGET',KEYS[1],'mark'))+0 -- absent from both: mark covers whatever was dropped
  if not fence or v <= floor then live = false end
  if v ~= (first or v) then even = false end
  first = first or v
  if v > c then c = v end
end
local now = redis.call('TIME')
now = now[1]*1000000+now[2]
