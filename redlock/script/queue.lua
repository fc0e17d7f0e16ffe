-- The waiting line of a lock, for ACQUIRE and RELEASE. It only ever refuses:
-- nothing in it is a vote, and a node that loses it, or may not write it, grants
-- as if nobody waited. So every call here may fail without failing the script,
-- and the line's key is none of KEYS: a user who lacks it would be refused all.
--
-- It is a sorted set. A member is client:number:ms; ms is how long the lock is
-- kept for this waiter once it is its turn. The score is its arrival in node
-- time, µs, or, negative, until when the lock is kept for it. At most one is.

-- turn returns for how many ms the lock is kept for another than me, nil where
-- nobody else has a better claim. Whoever has waited longest gets its turn and
-- is told, alone, on the channel of its client. One that did not come in its
-- turn goes, so a dead one costs the others one turn. again tells it once more.
local function turn(line,me,now,channel,again)
  local who, score, client, ms
  for _ = 1,2 do
    local first = redis.pcall('ZRANGE',line,'0','0','WITHSCORES')
    who, score = first[1], tonumber(first[2])
    if not who or who == me then return nil end
    client, ms = string.match(who,'^(.*):%d+:(%d+)$')
    if ms and score > 0 then break end
    -- More than was given is left only where the clock was set back.
    local left = -score-now
    if ms and left > 0 and left <= ms*1000 then
      if again then redis.pcall('PUBLISH',channel..client,who) end
      return math.ceil(left/1000)
    end
    redis.pcall('ZREM',line,who)
  end
  if not ms or score < 0 then return nil end
  if type(redis.pcall('ZADD',line,'XX',string.format('%.0f',-now-ms*1000),who)) ~= 'number' then return nil end
  redis.pcall('PUBLISH',channel..client,who)
  return tonumber(ms)
end
