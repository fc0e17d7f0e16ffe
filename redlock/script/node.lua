-- The head of PROBE, SEAL, PREPARE, ADMIT and RETIRE: which server is this, and
-- what does its record say? It answers {-1} by itself where this is no primary.

-- rid is the incarnation: a primary draws a new one at every start and every
-- promotion. admitted: the record was written under this very incarnation.
local info = redis.call('INFO','replication')
local rid = string.find(info,'role:master\r',1,true) and string.match(info,'master_replid:(%x+)')
if not rid then return {-1} end
local rec = redis.call('HMGET',KEYS[1],'adm','hw','q','qrid','boot')
local inc, floor, maxttl, keep, self, cfg = string.match(rec[1] or '','^(%x*) (%d+) (%d+) (%d+) (%d+) (.*)$')
local hw, nonce, qrid, boot = rec[2], rec[3], rec[4], rec[5] or ''
local admitted = inc == rid

-- remember writes the hot part of the record; an empty incarnation never votes.
local function remember(i)
  redis.call('HSET',KEYS[1],'adm',table.concat({i,floor,maxttl,keep,self,cfg},' '))
end
-- drop takes the node's vote and its pair of incarnation and nonce. Its memory
-- stays: hw, marks and fences are what a later admission builds on.
local function drop()
  if inc then remember('') end
  redis.call('HDEL',KEYS[1],'q','qrid','boot')
end
