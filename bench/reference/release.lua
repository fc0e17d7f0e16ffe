-- RELEASE in its plain form.
--
-- KEYS 1 record  2 young fences  3 old fences  4.. the lock of each name
-- ARGV 1 id  2 T, 0 unless an EXTEND was sent  3.. the channel of each name
local T, freed, channels = tonumber(ARGV[2]), 0, {}
for i = 4,#KEYS do
  if redis.pcall('GET',KEYS[i]) == ARGV[1] then
    redis.call('DEL',KEYS[i])
    freed = freed+1
    channels[freed] = ARGV[i-1]
  end
end
if T > 0 and T <= 9007000000000000 then
  local record, digits = redis.call('HMGET',KEYS[1],'hw','mark'), string.format('%.0f',T+1)
  for i = 4,#KEYS do
    local fence = redis.call('HGET',KEYS[2],KEYS[i]) or redis.call('HGET',KEYS[3],KEYS[i]) or record[2]
    if fence and tonumber(fence) <= T then
      if T+1 > tonumber(record[1]) then redis.pcall('HSET',KEYS[1],'hw',digits); record[1] = digits end
      redis.pcall('HSET',KEYS[2],KEYS[i],digits)
    end
  end
end
for i = 1,freed do redis.pcall('PUBLISH',channels[i],ARGV[1]) end
return freed
