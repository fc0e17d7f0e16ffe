-- ARGV 4 ttl, ms  5 hint  6 not-after, node time in µs
local ttl = tonumber(ARGV[4])
if ttl > maxttl then return {-2,maxttl} end
if mine and live and even then return {2,counter,longest,micros} end
if micros > tonumber(ARGV[6]) then return {-6,micros} end
if taken then return {0,counter,longest,micros} end
local v, hint = counter+1, tonumber(ARGV[5])
if hint > v and hint <= micros+60000000 then v = hint end
if v > 9007199254740988 then return redis.error_reply('counter used up') end
assign(v)
for i = 4,#KEYS do redis.call('SET',KEYS[i],id,'PX',ttl) end
return {1,v,ttl,micros}
