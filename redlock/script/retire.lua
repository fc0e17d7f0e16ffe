-- RETIRE: take an admitted node's vote; the way out of every dead end.
--
-- KEYS 1 node record
-- ARGV 1 inc  2 nonce, both as PROBE showed them
--  {1} retired: its memory stays, and it needs a rejoin or a bootstrap
--  {0} refused: not the pair under which it was admitted
--  {-1} no primary
--
-- Rule: fewer votes endanger nothing but availability.
if not inc or inc == '' or inc ~= ARGV[1] or nonce ~= ARGV[2] then return {0} end
drop()
return {1}
