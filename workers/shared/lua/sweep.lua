-- Mark as hinted what should get a message now, in turn over all jobs. Answers triples job, shard, urgency; of
-- urgency 2 is what the asker takes itself, without a message.
-- Atomic, so that of several sweepers none publishes what another does.
-- ARGV: hints for each worker thread, fewest hints, milliseconds after which a missing message counts as lost, shards
-- that the asker can take itself.
local per_thread, fewest, patience, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local at = now()
-- Milliseconds between two sweeps that tell of an outage, and for which leases are spared after it.
local GAP, SPARE = 2500, 3000

-- Nobody has swept for a while, so nobody could renew a lease either: those that live are given time to.
-- At most once in a while, so that sweeps that are always late do not keep dead workers' shards for ever.
local function just_back()
  local swept = redis.call('GET', SWEPT)
  redis.call('SET', SWEPT, at, 'PX', DAY)
  if swept and at - tonumber(swept) > GAP then redis.call('SET', SPARED, at + SPARE, 'NX', 'PX', SPARE * 4) end
  return tonumber(redis.call('GET', SPARED) or 0) > at
end

local function settled_in(job, shard)
  local sum, sums = 0, redis.call('HGET', key(job, 'shards'), shard)
  for name, value in pairs(sums and cjson.decode(sums) or {}) do
    if string.sub(name, 1, 8) == 'outcome:' then sum = sum + value end
  end
  return sum
end

-- Note that the holder of a shard seems to have died; claim.lua judges. It does not count of a worker that was told to
-- end, nor when no row of the shard had begun. A shard of which rows were settled between two deaths is no suspect:
-- the count begins anew.
local function note_death(job, shard)
  local token = redis.call('HGET', key(job, 'owners'), shard) or ''
  local worker = string.match(token, '^%d+:(.+)$')
  local card = worker and redis.call('HGET', WORKERS, worker)
  if not card or shard == FINISH or redis.call('HGET', key(job, 'begun'), shard) ~= token then return end
  local alive_until, threads = heard(card)
  if threads == 0 then return end
  local told, settled = redis.call('HGET', key(job, 'deaths'), shard), settled_in(job, shard)
  local deaths = told and cjson.decode(told)
  if not deaths or settled > deaths.settled then deaths = { workers = {} } end
  deaths.settled = settled
  deaths.workers[#deaths.workers + 1] = { worker, alive_until }
  redis.call('HSET', key(job, 'deaths'), shard, cjson.encode(deaths))
end

-- Leases that ran out: whoever held them is dead or cannot reach us.
local function take_over(job)
  local left = redis.call('ZRANGEBYSCORE', key(job, 'leases'), '-inf', at)
  for _, shard in ipairs(left) do
    note_death(job, shard)
    drop_lease(job, shard)
    redis.call('ZADD', key(job, 'todo'), LEFT, shard)
  end
  if #left > 0 then owe_results(job) end
end

-- Threads of the living, and how many workers they are; the dead are forgotten after an hour.
local function living()
  local threads, workers, cards = 0, 0, redis.call('HGETALL', WORKERS)
  for index = 1, #cards, 2 do
    local alive_until, of_card = heard(cards[index + 1])
    if tonumber(alive_until) > at then
      threads = threads + of_card
      if of_card > 0 then workers = workers + 1 end
    elseif tonumber(alive_until) + HOUR < at then
      redis.call('HDEL', WORKERS, cards[index])
    end
  end
  return threads, math.max(workers, 1)
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

local function hintable(job, shard)
  return not redis.call('ZSCORE', HINTED, job .. ' ' .. shard) and takeable(job, shard)
end

-- Iterates over the shards of a job that have neither lease nor message.
local function waiting(job, first)
  local shards = redis.call('ZRANGEBYSCORE', key(job, 'todo'), '-inf', at, 'LIMIT', 0, first)
  local index = 0
  return function()
    repeat index = index + 1
    until not shards[index] or hintable(job, shards[index])
    return shards[index]
  end
end

local jobs, spared = {}, just_back()
for _, job in ipairs(redis.call('ZRANGE', ACTIVE, 0, -1)) do
  if redis.call('EXISTS', key(job, 'head')) == 1 then
    if not spared then take_over(job) end
    jobs[#jobs + 1] = job
  else
    redis.call('ZREM', ACTIVE, job)
  end
end
forget_lost()

local found, next_of = {}, {}
local threads, workers = living()

-- What dead workers have left does not wait behind messages, nor for a thread: each living worker takes its part.
local function take_part()
  local left = {}
  for _, job in ipairs(jobs) do
    for _, shard in ipairs(redis.call('ZRANGEBYSCORE', key(job, 'todo'), LEFT, LEFT)) do
      if hintable(job, shard) then left[#left + 1] = { job, shard, 2 } end
    end
  end
  for index = 1, math.min(most, math.ceil(#left / workers)) do
    redis.call('ZADD', HINTED, at, left[index][1] .. ' ' .. left[index][2])
    found[index] = left[index]
  end
end
if most > 0 then take_part() end

local window = math.max(fewest, per_thread * threads)
local room = window - redis.call('ZCARD', HINTED)
if room <= 0 then return found end
-- Of the first `window` shards of a job at least `room` have no hint.
for _, job in ipairs(jobs) do next_of[job] = waiting(job, window) end
while room > 0 do
  local before = room
  for _, job in ipairs(jobs) do
    local shard = room > 0 and next_of[job]()
    if shard then
      -- A job of which nothing runs yet goes before the hints of those that have begun, and so does what was left.
      local begun = redis.call('ZCARD', key(job, 'leases')) > 0 or found[job]
      if tonumber(redis.call('ZSCORE', key(job, 'todo'), shard)) == LEFT then begun = false end
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
