-- RAISE: move a grant up to the token on which the attempt settled.
--
-- KEYS 1 node record  2 young fences  3 old fences  4.. the lock of each name
-- ARGV 1 self and cfg, a space between  2 id  3 T
--  {1,T} raised: T is assigned here to id
--  {0,c} refused: id does not hold all names here, its fence is gone or of an
--        earlier life, or the counter c is above T
--  {-1} {-3,cfg,self} {-5,i} as in ACQUIRE     {-7} T out of range
--
-- Rule: T is assigned only where the attempt was assigned something in this
-- life of the node and still holds it; otherwise a slow RAISE would slip below
-- a later attempt's token. T = c is written too: that is the attempt's own.
local v, s = ARGV[3]+0, ARGV[3] -- T
if v < 1 or v > 9007000000000000 then return {-7} end
if not (mine and live) or c > v then return {0,c} end
--- assign
return {1,v}
