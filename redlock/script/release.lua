-- RELEASE: free the names where they are id's, and give the turn to who waits.
--
-- KEYS 1 and on: the lock of each name; with T also, after them, the node
--      record, the young and the old fences
-- ARGV 1 id  2 T, or 0 where no EXTEND was ever sent
--      3 the line's key, or absent: leave the line alone
--      4 with it: the beginning of every client's channel
--      5 its place in the line, or absent: none
--      6 with it: its waiter gave up; or absent: the attempt had won
--  n   the number of names that were freed
--  -1  this is a read-only replica
--
-- Rule: neither incarnation nor configuration is looked at, because this only
-- frees and only raises; a node that may not vote must still be cleaned up.
-- It never turns the fence tables. What must not fail comes first, and nothing
-- after it can stop the rest: Redis does not roll back a script.
local pcall, id, T, names, n, bad = redis.pcall, ARGV[1], ARGV[2], #KEYS, 0, nil
if T ~= '0' then names = names-3 end
for i = 1,names do
  local key = KEYS[i]
  if pcall('GET',key) == id then
    local r = pcall('DEL',key)
    if type(r) == 'table' then bad = r else n = n+1 end
  end
end
-- An EXTEND that is still under way would set the key again, and nobody would
-- free it: the name would be blocked for a whole ttl. A fence above T stops it,
-- whether or not the key stood; on a node without a record hw stands for it, of
-- which ADMIT makes the floor. T out of range is left out: it would use up the
-- counter.
if T ~= '0' and T+0 <= 9007000000000000 then
  local next, rec = T+1, redis.call('HMGET',KEYS[names+1],'hw','mark')
  local hw, s = (rec[1] or 0)+0, string.format('%.0f',next)
  for i = 1,names do
    local fence = redis.call('HGET',KEYS[names+2],KEYS[i]) or redis.call('HGET',KEYS[names+3],KEYS[i]) or rec[2]
    if not fence or fence+0 < next then
      if next > hw and type(pcall('HSET',KEYS[names+1],'hw',s)) == 'number' then hw = next end
      if fence and next <= hw then pcall('HSET',KEYS[names+2],KEYS[i],s) end
    end
  end
end
if bad then
  if string.find(bad.err,'READONLY',1,true) then return -1 end
  return bad
end
-- The end of a hold passes the turn on; that of an attempt that lost elsewhere
-- does not, or waiters would send each other to a lock that is held. A waiter
-- that gives up passes on the turn that it had. A repeated call finds the turn
-- given already, and nobody gets it while some key stands.
local line = ARGV[3]
if line and pcall('EXISTS',line) == 1 then
  --- queue
  local first, place = pcall('ZRANGE',line,'0','0','WITHSCORES'), ARGV[5]
  if first[1] then
    if place then pcall('ZREM',line,place) end
    local had = first[1] == place and tonumber(first[2]) < 0
    if (had or not ARGV[6]) and pcall('EXISTS',KEYS[1]) == 0 then
      local now = redis.call('TIME')
      turn(line,place,now[1]*1000000+now[2],ARGV[4],true)
    end
  end
end
return n
