-- ADMIT: let the node vote.
--
-- KEYS 1 node record
-- ARGV 1 inc  2 nonce, both as PROBE showed them  3 F, a floor for its tokens
--      4 maxttl, ms  5 cfg  6 boot mark, empty for a rejoin
--      7 self, the index of its name  8 keep, the retention of fences, ms
--  {1} admitted now     {2} it was admitted already, under whatever cfg
--  {0} refused: another pair, or another boot mark
--  {-1} no primary      {-7} F or its own hw near 2^53, or maxttl below 1 ms
--
-- Rule: every later token lies above F and above all that this server ever
-- assigned, and a prepared node is admitted by its mark alone. hw never falls
-- below a floor, so the own floor needs no look.
if admitted then return {2} end
if rid ~= ARGV[1] or qrid ~= rid or nonce ~= ARGV[2] or boot ~= ARGV[6] then return {0} end
local F, ttl, retention = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[8])
F = math.max(F,tonumber(hw or '0'))
if F > 9007000000000000 or ttl < 1 then return {-7} end
-- A fence must outlive every hold by far, or holders would meet mark instead.
retention = math.max(retention,10*ttl)
floor, maxttl, keep, self, cfg = string.format('%.0f',F), ARGV[4], string.format('%.0f',retention), ARGV[7], ARGV[5]
local now = redis.call('TIME')
now = string.format('%.0f',now[1]*1000000+now[2])
redis.call('HSET',KEYS[1],'hw',floor,'mark',floor,'omark',floor,'turned',now)
redis.call('HDEL',KEYS[1],'qrid','boot') -- the nonce stays: RETIRE names it
remember(rid)
return {1}
