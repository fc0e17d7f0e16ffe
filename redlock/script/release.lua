-- RELEASE: free the names where they are id's, and wake those who wait.
--
-- KEYS 1 node record  2 young fences  3 old fences  4.. the lock of each name
-- ARGV 1 id  2 T, 0 unless an EXTEND was ever sent  3.. the channel of each name
--  n   the number of names that were freed
--  -1  this is a read-only replica
--
-- Rule: neither incarnation nor configuration is looked at, because this only
-- frees and only raises; a node that may not vote must still be cleaned up.
-- It never turns the fence tables. What must not fail comes first, and nothing
-- after it can stop the rest: Redis does not roll back a script.
local id, T, n, bad, gone = ARGV[1], tonumber(ARGV[2]), 0, nil, {}
for i = 4,#KEYS do
  if redis.pcall('GET',KEYS[i]) == id then
    local r = redis.pcall('DEL',KEYS[i])
    if type(r) == 'table' then bad = r else n = n+1; gone[n] = ARGV[i-1] end
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
for i = 1,n do redis.pcall('PUBLISH',gone[i],id) end
if bad then
  if string.find(bad.err,'READONLY',1,true) then return -1 end
  return bad
end
return n
