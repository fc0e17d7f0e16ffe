-- The head of ACQUIRE in its plain form: read the record field by field, look
-- at every name, and know all that any script may ask for.
--
-- KEYS 1 record  2 young fences  3 old fences  4.. the lock of each name
-- ARGV 1 cfg  2 self  3 id
local info = redis.call('INFO','replication')
local incarnation = string.find(info,'role:master',1,true) and string.match(info,'master_replid:(%x+)')
local clock = redis.call('TIME')
local micros = clock[1]*1000000+clock[2]
local record = redis.call('HMGET',KEYS[1],'inc','cfg','self','floor','hw','maxttl','mark','omark','turned','keep')
if not incarnation or record[1] ~= incarnation then return {-1} end
if record[2] ~= ARGV[1] or record[3] ~= ARGV[2] then return {-3,record[2],record[3]} end
local id = ARGV[3]
local floor, highest, maxttl = tonumber(record[4]), tonumber(record[5]), tonumber(record[6])
local counter, longest, common = floor, 0, nil
local taken, mine, other, live, even = false, true, false, true, true
for i = 4,#KEYS do
  local holder = redis.pcall('GET',KEYS[i])
  if type(holder) == 'table' then return {-5,i-3} end
  local fence = redis.call('HGET',KEYS[2],KEYS[i]) or redis.call('HGET',KEYS[3],KEYS[i])
  if holder then
    taken, other = true, other or holder ~= id
    local left = redis.call('PTTL',KEYS[i])
    if left < 0 then return {-5,i-3} end
    longest = math.max(longest,left)
  end
  mine = mine and holder == id
  local v = tonumber(fence or record[7])
  live = live and fence and v > floor
  even, common = even and v == (common or v), common or v
  counter = math.max(counter,v)
end
local function assign(v)
  local digits, turned = string.format('%.0f',v), tonumber(record[9])
  if micros < turned then
    redis.call('HSET',KEYS[1],'turned',string.format('%.0f',micros))
  elseif micros >= turned+tonumber(record[10])*1000 then
    redis.call('HSET',KEYS[1],'mark',record[8],'omark',record[5],'turned',string.format('%.0f',micros))
    redis.call('UNLINK',KEYS[3])
    if redis.call('EXISTS',KEYS[2]) == 1 then redis.call('RENAME',KEYS[2],KEYS[3]) end
  end
  if v > highest then redis.call('HSET',KEYS[1],'hw',digits) end
  for i = 4,#KEYS do redis.call('HSET',KEYS[2],KEYS[i],digits) end
end
