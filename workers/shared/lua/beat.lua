-- The heartbeat of one worker process: it is alive, it holds these leases, its shards have come so far.
-- Answers { for each lease 1 when it is ours, 0 when it is not, 2 when nobody can tell since the job is not known,
--           for each job { state, reason, wanted, hold, born }, 1 when we were known before }.
-- ARGV[1]: JSON { worker, ttl, card, lease, leases = [[job, shard, token, sums or ""]],
--                 jobs = [[job, money or ""]] }; times in milliseconds.
local said, at = cjson.decode(ARGV[1]), now()
local known = redis.call('HEXISTS', WORKERS, said.worker)
redis.call('HSET', WORKERS, said.worker, count(at + said.ttl) .. ' ' .. said.card)
redis.call('PEXPIRE', WORKERS, HOUR)

local kept = {}
for index, lease in ipairs(said.leases) do
  local job, shard, token, sums = unpack(lease)
  kept[index] = ours(job, shard, token) and 1 or 0
  if redis.call('EXISTS', key(job, 'head')) == 0 then kept[index] = 2 end
  if kept[index] == 1 then
    redis.call('ZADD', key(job, 'leases'), at + said.lease, shard)
    if sums ~= '' then move_sums(job, shard, sums) end
  end
end

-- Said in whole, so that the latest holds, in whatever order two of our messages arrive.
local function book(job, latest)
  local _, _, times = money(redis.call('HGET', key(job, 'budget'), said.worker))
  local _, _, latest_times = money(latest)
  if latest_times > times then redis.call('HSET', key(job, 'budget'), said.worker, latest) end
end

local news = {}
for index, entry in ipairs(said.jobs) do
  local job, sums = unpack(entry)
  local head = redis.call('HMGET', key(job, 'head'), 'state', 'state_reason', 'wanted', 'born')
  if head[1] and sums ~= '' then book(job, sums) end
  news[index] = { head[1] or '', head[2] or '', head[3] or '', longest_hold(job, at), head[4] or '' }
end
return { kept, news, known }
