-- SEAL: from now on this node's view says that a name was replaced.
--
-- KEYS 1 node record
-- ARGV 1 static part of cfg  2 index of the name  3 k, how often it was replaced
--      4 id of the newcomer, lower-case hex
--  {1,hw,cfg,self} sealed, or it was already; hw as read in this very call
--  {0,hw,cfg,self} refused: a larger entry is there
--  {-1} not admitted; or retired just now, because its own name was given anew
--  {-3,cfg,self} another static part      {-7} no such entry, or not hex
--
-- Rule: after q nodes answered 1, no attempt under an older view finds a quorum,
-- whoever still runs behind the old name. Entries are ordered by k, then id, so
-- that two rejoiners, one of them dead half-way, end in one order everywhere.
if not admitted then return {-1} end
local static, view = string.match(cfg,'^(.-)|(.*)$')
if static ~= ARGV[1] then return {-3,cfg,self} end
local e, n, k, id = {}, tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
for entry in string.gmatch(view,'[^.]+') do e[#e+1] = entry end
local oldk, oldid = string.match(e[n] or '','^(%d+)-(.*)$')
-- Hex only: Lua compares by the server's locale, and digits and small letters
-- are ordered alike in all of them.
if not oldk or string.find(id,'[^0-9a-f]') then return {-7} end
oldk = tonumber(oldk)
if k > oldk or k == oldk and id > oldid then
  -- Whatever the id: an own entry that rises means that others were let in
  -- under this name since the server was admitted, and its floor knows nothing
  -- of their tokens.
  if self == ARGV[2] then
    drop()
    return {-1}
  end
  e[n] = ARGV[3]..'-'..id
  cfg = static..'|'..table.concat(e,'.')
  remember(inc)
elseif k ~= oldk or id ~= oldid then
  return {0,hw,cfg,self}
end
return {1,hw,cfg,self}
