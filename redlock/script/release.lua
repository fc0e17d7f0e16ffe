-- RELEASE: free the names where they are id's, and give the turn to who waits.
--
-- KEYS 1 node record  2 young fences  3 old fences  4.. the lock of each name
-- ARGV 1 id  2 T, 0 unless an EXTEND was ever sent
--      3 1: the attempt had won, 2: its waiter gave up; or absent
--      4 with it: its place in the line, or empty
--      5, 6 with it: the beginning of every client's channel, the line's key
--  n   the number of names that were freed
--  -1  this is a read-only replica
--
-- Rule: neither incarnation nor configuration is looked at, because this only
-- frees and only raises; a node that may not vote must still be cleaned up.
-- It never turns the fence tables. What must not fail comes first, and nothing
-- after it can stop the rest: Redis does not roll back a script.
local id, T, pass, n, bad = ARGV[1], tonumber(ARGV[2]), ARGV[3], 0, nil
for i = 4,#KEYS do
  if redis.pcall('GET',KEYS[i]) == id then
    local r = redis.pcall('DEL',KEYS[i])
    if type(r) == 'table' then bad = r else n = n+1 end
  end
end
-- An EXTEND that is still under way would set the key again, and nobody would
-- free it: the name would be blocked for a whole ttl. A fence above T stops it,
-- whether or not the key stood; on a node without a record hw stands for it, of
-- which ADMIT makes the floor. T out of range is left out: it would use up the
-- counter.
if T > 0 and T <= 9007000000000000 then
  local rec, s = redis.call('HMGET',KEYS[1],'hw','mark'), string.format('%.0f',T+1)
  local hw = tonumber(rec[1] or '0')
  for i = 4,#KEYS do
    local fence = redis.call('HGET',KEYS[2],KEYS[i]) or redis.call('HGET',KEYS[3],KEYS[i]) or rec[2]
    if not fence or tonumber(fence) <= T then
      if T+1 > hw and type(redis.pcall('HSET',KEYS[1],'hw',s)) == 'number' then hw = T+1 end
      if fence and T+1 <= hw then redis.pcall('HSET',KEYS[2],KEYS[i],s) end
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
if pass then
  local line, place = ARGV[6], ARGV[4]
  local first = redis.pcall('ZRANGE',line,0,0,'WITHSCORES')
  if first[1] then
    if place ~= '' then redis.pcall('ZREM',line,place) end
    local had = first[1] == place and tonumber(first[2]) < 0
    if (had or pass == '1') and redis.pcall('EXISTS',KEYS[4]) == 0 then
      local now = redis.call('TIME')
      turn(line,place,now[1]*1000000+now[2],ARGV[5],true)
    end
  end
end
return n
