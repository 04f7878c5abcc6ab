-- What several scripts use. scripts.py puts the names of keys.py and then this before each of them.

-- In todo, a shard that a dead worker has left: it goes before all others.
local LEFT = -1

-- Milliseconds by the server's clock, the only one that all workers share.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function count(number)
  return string.format('%.0f', number)
end

-- Let the keys of a job live on for a month.
local function touch(job)
  for _, part in ipairs(PARTS) do
    if part ~= 'report' then redis.call('PEXPIRE', key(job, part), MONTH) end
  end
  redis.call('PEXPIRE', ACTIVE, MONTH)
  redis.call('PEXPIRE', TURN, MONTH)
  redis.call('PEXPIRE', TOLD, MONTH)
end

local function goes_on(state)
  return state == 'queued' or state == 'running' or state == 'waiting'
end

-- Whether a shard of the job may be claimed: it goes on, or its rest is to be settled as cancelled.
-- The last step is owed to a job whatever has stopped it meanwhile; while somebody is at it, nobody else is.
local function takeable(job, shard)
  local head = redis.call('HMGET', key(job, 'head'), 'state', 'want')
  local state, want = head[1], head[2]
  if not state or state == 'finished' or state == 'cancelled' then return false end
  if shard == FINISH then return redis.call('HEXISTS', key(job, 'owners'), FINISH) == 0 end
  return want == 'cancelled' or (want == 'running' and goes_on(state))
end

local function owned(job, shard, token)
  return redis.call('HGET', key(job, 'owners'), shard) == token
end

local function drop_lease(job, shard)
  redis.call('ZREM', key(job, 'leases'), shard)
  redis.call('HDEL', key(job, 'owners'), shard)
end

-- Let nobody hold a shard any more, nor come back to it with the token that it had.
local function give_back(job, shard)
  drop_lease(job, shard)
  redis.call('HSET', key(job, 'latest'), shard, '-')
end

-- Whether a shard is held with `token`. One that was taken away because its lease ran out, or that a server which has
-- lost everything never knew to be held, is held again as long as nobody else has claimed it: its holder lives, and
-- has answers in hand that were paid for. The caller sets the end of the lease.
local function ours(job, shard, token)
  if owned(job, shard, token) then return true end
  -- The last step is taken anew: what is settled meanwhile belongs into it.
  if shard == FINISH then return false end
  local latest, todo = redis.call('HGET', key(job, 'latest'), shard), key(job, 'todo')
  if not latest and redis.call('HGET', key(job, 'head'), 'rebuilt') == '1' then latest = token end
  if latest ~= token or redis.call('HEXISTS', key(job, 'owners'), shard) == 1 then return false end
  if not redis.call('ZSCORE', todo, shard) then return false end
  redis.call('ZREM', todo, shard)
  redis.call('ZREM', HINTED, job .. ' ' .. shard)
  redis.call('HSET', key(job, 'owners'), shard, token)
  redis.call('HSET', key(job, 'latest'), shard, token)
  return true
end

-- Results and report of what is settled are owed to a job that stands still, halted or paused, once nobody works on it
-- any more: it takes its last step without coming to its end.
local function owe_results(job)
  local state, leases = redis.call('HGET', key(job, 'head'), 'state'), key(job, 'leases')
  local held = redis.call('ZCARD', leases) - (redis.call('ZSCORE', leases, FINISH) and 1 or 0)
  -- Before what dead workers have left, which waits until the job goes on.
  if (state == 'halted' or state == 'paused') and held == 0 then
    redis.call('ZADD', key(job, 'todo'), 'NX', LEFT, FINISH)
  end
end

-- Until when a worker was heard to be alive (as it was said, a string), and its threads; one that was told to end has
-- none.
local function heard(card)
  local alive_until, said = string.match(card, '^(%d+) (.*)$')
  return alive_until, cjson.decode(said).threads
end

local function alive(worker, at)
  local card = redis.call('HGET', WORKERS, worker)
  return card and tonumber((heard(card))) > at
end

-- Replace a shard's part in the job's sums by the JSON object `new` and move the sums by the difference.
local function move_sums(job, shard, new)
  local shards, head = key(job, 'shards'), key(job, 'head')
  local old = redis.call('HGET', shards, shard)
  if old == new then return end
  local was, is = old and cjson.decode(old) or {}, cjson.decode(new)
  for name, value in pairs(is) do
    local more = value - (was[name] or 0)
    if more ~= 0 then redis.call('HINCRBY', head, name, count(more)) end
    was[name] = nil
  end
  for name, value in pairs(was) do
    redis.call('HINCRBY', head, name, count(-value))
  end
  redis.call('HSET', shards, shard, new)
end

-- Milliseconds for which the longest hold of a job still lasts.
local function longest_hold(job, at)
  local longest, pace = 0, redis.call('HGETALL', key(job, 'pace'))
  for index = 1, #pace, 2 do
    if string.sub(pace[index], 1, 5) == 'held:' then longest = math.max(longest, tonumber(pace[index + 1]) - at) end
  end
  return longest
end

-- What a worker has set aside, has spent, and how often it has said so.
local function money(said)
  local aside, spent, times = string.match(said or '0 0 0', '^(%d+) (%d+) (%d+)$')
  return tonumber(aside), tonumber(spent), tonumber(times)
end
