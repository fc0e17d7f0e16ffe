-- ACQUIRE: take the names if all are free, and assign them one new token.
--
-- KEYS 1 node record  2 young fences  3 old fences  4.. the lock of each name
-- ARGV 1 self and cfg, a space between  2 id  3 ttl, ms  4 hint, 0 for none
--      5 not-after, node time in µs, 0 for never
--  now            granted, and T is the hint
--  {1,T,now}      granted: T is above every token assigned here for the names
--  {2,T,now}      already mine: a driver sent the call twice
--  {0,c,wait,now} busy: c the counter, wait the longest remaining ttl in ms
--  {-1} not admitted       {-2,maxttl} ttl too long, ms
--  {-3,cfg,self} another configuration or name
--  {-5,i} a foreign key at the i-th name
--  {-6,now} too late       {-7} ttl below 1 ms, or the counter is used up
--
-- Rule: a node only ever assigns upwards, and to one attempt at a time. All
-- checks hold for all names before the first write.
local ttl = ARGV[3]+0
if ttl < 1 then return {-7} end
if ttl > maxttl then return {-2,maxttl} end
-- Before the not-after: a repeated call takes nothing that its sender does not
-- have, and "too late" would hide from it that it must be released here.
if mine and live and even then return {2,c,now} end
-- Before busy: a client whose idea of node time is off must learn it even where
-- the lock is always taken.
if ARGV[5] ~= '0' and now > ARGV[5]+0 then return {-6,now} end
if taken then return {0,c,wait,now} end
local v, s, hint = c+1, nil, ARGV[4]+0
-- Not above node time + 60 s: one client with a wild clock must not carry the
-- counter to where it ends.
if hint > v and hint <= now+60000000 then
  v, s = hint, ARGV[4]
else
  s = string.format('%.0f',v)
end
if v > 9007199254740988 then return {-7} end
--- assign
for i = 4,#KEYS do call('SET',KEYS[i],id,'PX',ARGV[3]) end
if s == ARGV[4] then return now end
return {1,v,now}
