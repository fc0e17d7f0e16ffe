-- PREPARE: bootstrap, step 2: the node takes the boot mark of a whole cluster.
--
-- KEYS 1 node record
-- ARGV 1 inc  2 nonce, both as PROBE showed them  3 boot mark
--  {1}          prepared: from now on only an ADMIT by this mark is accepted
--  {0,mark,cfg} refused: admitted (then cfg is its own, otherwise empty), of
--               another pair, or it bears mark
--  {-1} no primary      {-7} an empty mark
--
-- Rule: the mark names the pairs of all N nodes. A node takes one mark per pair,
-- so two operators cannot each bootstrap a part of the cluster.
if ARGV[3] == '' then return {-7} end
if admitted then return {0,'',cfg} end
if rid ~= ARGV[1] or qrid ~= rid or nonce ~= ARGV[2] or boot ~= '' and boot ~= ARGV[3] then return {0,boot,''} end
redis.call('HSET',KEYS[1],'boot',ARGV[3])
return {1}
