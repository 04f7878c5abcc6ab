-- Mark as hinted what should get a message now, in turn over all jobs. Answers triples job, shard, urgency.
-- Atomic, so that of several sweepers none publishes what another does.
-- ARGV: hints for each worker thread, fewest hints, milliseconds after which a missing message counts as lost.
local per_thread, fewest, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local at = now()

-- Leases that ran out: whoever held them is dead or cannot reach us.
local function take_over(job)
  for _, shard in ipairs(redis.call('ZRANGEBYSCORE', key(job, 'leases'), '-inf', at)) do
    drop_lease(job, shard)
    redis.call('ZADD', key(job, 'todo'), 0, shard)
  end
end

-- Threads of the living; the dead are forgotten after an hour.
local function threads()
  local sum, cards = 0, redis.call('HGETALL', WORKERS)
  for index = 1, #cards, 2 do
    local alive_until, card = string.match(cards[index + 1], '^(%d+) (.*)$')
    if tonumber(alive_until) > at then
      sum = sum + cjson.decode(card).threads
    elseif tonumber(alive_until) + HOUR < at then
      redis.call('HDEL', WORKERS, cards[index])
    end
  end
  return sum
end

-- Fewer messages than hints: as many of the oldest hints have lost theirs.
-- A young hint may be on its way, so it is left in peace.
local function forget_lost()
  local messages = 0
  for _, list in ipairs(QUEUE_LISTS) do messages = messages + redis.call('LLEN', list) end
  local lost = redis.call('ZCARD', HINTED) - messages
  if lost <= 0 then return end
  for _, hint in ipairs(redis.call('ZRANGEBYSCORE', HINTED, '-inf', at - patience, 'LIMIT', 0, lost)) do
    redis.call('ZREM', HINTED, hint)
  end
end

-- Iterates over the shards of a job that have neither lease nor message.
local function waiting(job, most)
  local shards = redis.call('ZRANGEBYSCORE', key(job, 'todo'), '-inf', at, 'LIMIT', 0, most)
  local index = 0
  return function()
    repeat index = index + 1
    until not shards[index] or
      (not redis.call('ZSCORE', HINTED, job .. ' ' .. shards[index]) and takeable(job, shards[index]))
    return shards[index]
  end
end

local jobs = {}
for _, job in ipairs(redis.call('ZRANGE', ACTIVE, 0, -1)) do
  if redis.call('EXISTS', key(job, 'head')) == 1 then
    take_over(job)
    jobs[#jobs + 1] = job
  else
    redis.call('ZREM', ACTIVE, job)
  end
end
forget_lost()

local window = math.max(fewest, per_thread * threads())
local room, found, next_of = window - redis.call('ZCARD', HINTED), {}, {}
if room <= 0 then return found end
-- Of the first `window` shards of a job at least `room` have no hint.
for _, job in ipairs(jobs) do next_of[job] = waiting(job, window) end
while room > 0 do
  local before = room
  for _, job in ipairs(jobs) do
    local shard = room > 0 and next_of[job]()
    if shard then
      -- A job of which nothing runs yet goes before the hints of those that have begun.
      local begun = redis.call('ZCARD', key(job, 'leases')) > 0 or found[job]
      redis.call('ZADD', HINTED, at, job .. ' ' .. shard)
      redis.call('ZADD', ACTIVE, redis.call('INCR', TURN), job)
      found[job] = true
      found[#found + 1] = { job, shard, begun and 0 or 1 }
      room = room - 1
    end
  end
  if room == before then break end
end
redis.call('PEXPIRE', HINTED, DAY)
return found
