-- PROBE: who is this node, and may it vote?
--
-- KEYS 1 node record
-- ARGV 1 a fresh nonce, one per call  2 a boot mark to get rid of, or empty
--  {1,admitted,inc,nonce,hw,floor,maxttl,cfg,self,now,mark}
--    admitted 0 or 1; hw the highest token ever assigned here; floor, maxttl
--    (ms), cfg and self as of the last admission, even when it no longer holds;
--    0 or empty where there was none; mark the boot mark, or empty
--  {-1} no primary
--
-- Rule: an unadmitted node has one pair (incarnation, nonce) until it is
-- admitted, retired or loses its memory, so that an ADMIT meant for one life
-- cannot take effect in another. The node's time in the nonce tells apart two
-- executions of the same PROBE with a loss of memory between them.
local now = redis.call('TIME')
now = now[1]*1000000+now[2]
if not admitted and (not nonce or qrid ~= rid or ARGV[2] ~= '' and boot == ARGV[2]) then
  drop()
  nonce, boot = ARGV[1]..'.'..string.format('%.0f',now), ''
  redis.call('HSET',KEYS[1],'q',nonce,'qrid',rid)
end
return {1,admitted and 1 or 0,rid,nonce or '',hw or '0',floor or '0',maxttl or '0',cfg or '',self or '0',now,boot}
