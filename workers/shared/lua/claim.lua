-- Take the lease of a shard that nobody holds. Answers { token, out, want, born, deaths, left }, or nothing when it is
-- not to be had. deaths: of the shard so many workers seem to have died, one after the other. left: 1 when a dead
-- worker has left it.
-- ARGV: job, shard, worker, milliseconds of the lease.
local job, shard, worker, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local head, at = key(job, 'head'), now()

-- So many deaths speak against a shard however many workers have died of something else meanwhile.
local MOST = 10

-- Workers that died since `since`, but for those in `known`.
local function others_died(since, known)
  local sum, cards = 0, redis.call('HGETALL', WORKERS)
  for index = 1, #cards, 2 do
    local alive_until, threads = heard(cards[index + 1])
    alive_until = tonumber(alive_until)
    if threads > 0 and alive_until <= at and alive_until >= since and not known[cards[index]] then sum = sum + 1 end
  end
  return sum
end

-- How many workers seem to have died of the shard. Who was heard of since has not died: only Redis was away, or the
-- machine was asleep. When more than half as many have died of something else meanwhile, it was not the shard.
local function deaths()
  local told = redis.call('HGET', key(job, 'deaths'), shard)
  if not told then return 0 end
  local sum, known, since = 0, {}, nil
  for _, death in ipairs(cjson.decode(told).workers) do
    local card = redis.call('HGET', WORKERS, death[1])
    if not card or heard(card) == death[2] then
      sum, known[death[1]], since = sum + 1, true, since or tonumber(death[2])
    end
  end
  if sum == 0 or sum >= MOST then return sum end
  return others_died(since, known) * 2 <= sum and sum or 0
end

redis.call('ZREM', HINTED, job .. ' ' .. shard)
local from = redis.call('ZSCORE', key(job, 'todo'), shard)
if not from or tonumber(from) > at or not takeable(job, shard) then return false end
redis.call('ZREM', key(job, 'todo'), shard)
-- The epoch grows with every claim of the job: of two tokens the higher is the later.
local token = redis.call('HINCRBY', head, 'epoch', 1) .. ':' .. worker
redis.call('ZADD', key(job, 'leases'), at + lease, shard)
redis.call('HSET', key(job, 'owners'), shard, token)
redis.call('HSET', key(job, 'latest'), shard, token)
local state = redis.call('HGET', head, 'state')
if state == 'queued' or state == 'waiting' then
  redis.call('HSET', head, 'state', 'running', 'state_reason', '')
end
redis.call('HSETNX', head, 'started_at', at)
touch(job)
local there = redis.call('HMGET', head, 'out', 'want', 'born')
return { token, there[1], there[2], there[3], deaths(), tonumber(from) == LEFT and 1 or 0 }
