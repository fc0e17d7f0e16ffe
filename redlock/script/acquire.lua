-- ACQUIRE: take the names if all are free, and assign them one new token.
--
-- KEYS 1 node record  2 young fences  3 old fences  4.. the lock of each name
-- ARGV 1 self and cfg, a space between  2 id  3 ttl, ms  4 hint, 0 for none
--      5 not-after, node time in µs, 0 for never
--      6 place in the line: client:number:ms, or absent
--      7, 8 with it: the beginning of every client's channel, the line's key
--  now             granted, and T is the hint
--  {1,T,now}       granted: T is above every token assigned here for the names
--  {2,T,now}       already mine: a driver sent the call twice
--  {0,c,wait,now}  busy: c the counter, wait the longest remaining ttl in ms
--  {-8,c,wait,now} free, but kept for another waiter, for wait ms at most
--  {-1} not admitted       {-2,maxttl} ttl too long, ms
--  {-3,cfg,self} another configuration or name
--  {-5,i} a foreign key at the i-th name
--  {-6,now} too late       {-7} ttl below 1 ms, or the counter is used up
--
-- Rule: a node only ever assigns upwards, and to one attempt at a time. All
-- checks hold for all names before the first write to them. Who is refused with
-- a place enters the line there, and stays in it until its RELEASE.
local ttl = ARGV[3]+0
if ttl < 1 then return {-7} end
if ttl > maxttl then return {-2,maxttl} end
-- Before the not-after: a repeated call takes nothing that its sender does not
-- have, and "too late" would hide from it that it must be released here.
if mine and live and even then return {2,c,now} end
-- Before busy: a client whose idea of node time is off must learn it even where
-- the lock is always taken.
if ARGV[5] ~= '0' and now > ARGV[5]+0 then return {-6,now} end
local place, kept = ARGV[6], nil
if place then
  local line = ARGV[8]
  if not taken then
    --- queue
    kept = turn(line,place,now,ARGV[7])
  end
  if taken or kept then
    local score = redis.pcall('ZSCORE',line,place)
    if not score then
      redis.pcall('ZADD',line,string.format('%.0f',now),place)
    elseif type(score) == 'string' and tonumber(score) < 0 then
      -- It came in its turn and met a key that somebody set without asking the
      -- line: it goes back to the front.
      redis.pcall('ZADD',line,'1',place)
    end
    redis.pcall('PEXPIRE',line,maxttl) -- a line that nobody asks about goes by itself
  end
end
if taken then return {0,c,wait,now} end
if kept then return {-8,c,kept,now} end
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
