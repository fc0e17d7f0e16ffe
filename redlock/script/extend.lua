-- EXTEND: prolong a hold, and give its key back to a node that lacks it.
--
-- KEYS 1 node record  2 young fences  3 old fences  4.. the lock of each name
-- ARGV 1 self and cfg, a space between  2 id  3 T  4 ttl, ms
--  {1,T} prolonged: every key was there
--  {2,T} repaired: some key was absent and was set
--  {0,c,wait} refused: another's key stands, for at most wait ms
--  {-4,c} superseded: the counter c is above T; nothing was touched
--  {-1} {-2,maxttl} {-3,cfg,self} {-5,i} as in ACQUIRE
--  {-7} ttl below 1 ms, or T out of range
--
-- Rule: a hold with token T may stand here only while nobody was assigned more.
-- An absent fence reads as mark, so a long hold whose fence was dropped is not
-- evicted by that alone; and each EXTEND writes the fence anew, so it does not
-- age. At -4 the key is left alone: it may be this holder's vote still, and
-- taking it away would let a second holder in before the first one's deadline.
local v, s, ttl = ARGV[3]+0, ARGV[3], ARGV[4]+0 -- v is T
if v < 1 or v > 9007000000000000 or ttl < 1 then return {-7} end
if ttl > maxttl then return {-2,maxttl} end
if other then return {0,c,wait} end
if c > v then return {-4,c} end
--- assign
for i = 4,#KEYS do
  -- Never shorter: were the reply lost, the holder would go on to a deadline
  -- that the key does not reach. An absent key reads -2.
  if call('PTTL',KEYS[i]) < ttl then call('SET',KEYS[i],id,'PX',ARGV[4]) end
end
return {mine and 1 or 2,v}
