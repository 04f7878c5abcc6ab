-- Put a job on the board, or let the one that is there go on. Answers 1 when it was put there anew.
-- ARGV: job, out, rows, shards, JSON of wanted, then shard and JSON of its sums for each folded one.
local job, out, rows, shards, wanted = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local head, todo, at = key(job, 'head'), key(job, 'todo'), now()
local there = redis.call('HMGET', head, 'state', 'shards')
local known = there[1] and there[1] ~= 'finished' and there[1] ~= 'cancelled'
local folded, planned = {}, 0
for index = 6, #ARGV, 2 do folded[ARGV[index]] = ARGV[index + 1] end

local function begin()
  for _, part in ipairs(PARTS) do redis.call('DEL', key(job, part)) end
  redis.call('HSET', head, 'submitted_at', at, 'folded', 0, 'epoch', at)
  for shard, sums in pairs(folded) do
    redis.call('HINCRBY', head, 'folded', 1)
    move_sums(job, shard, sums)
  end
  redis.call('HSET', key(job, 'budget'), 'earlier', '0 ' .. (redis.call('HGET', head, 'cost') or '0') .. ' 0')
end

-- Leases and sums stay. What was folded once and is not any more has a new round: it is settled again.
local function go_on()
  for number = 1, planned do
    local shard = string.format('%07d', number)
    local open = redis.call('ZSCORE', todo, shard) or redis.call('HEXISTS', key(job, 'owners'), shard) == 1
    if not open and not folded[shard] then
      redis.call('HINCRBY', head, 'folded', -1)
      redis.call('ZADD', todo, 0, shard)
    end
  end
end

if known then
  planned = tonumber(there[2])
  go_on()
else
  begin()
end
-- A larger limit may have added shards.
for number = planned + 1, shards do
  local shard = string.format('%07d', number)
  if not folded[shard] then redis.call('ZADD', todo, 0, shard) end
end
redis.call('HSET', head, 'out', out, 'rows', rows, 'shards', shards,
  'state', 'queued', 'state_reason', '', 'want', 'running', 'wanted', wanted)
redis.call('HDEL', head, 'finished_at')
if tonumber(redis.call('HGET', head, 'folded')) < shards then
  redis.call('ZREM', todo, FINISH)
elseif redis.call('HEXISTS', key(job, 'owners'), FINISH) == 0 then
  redis.call('ZADD', todo, 0, FINISH)
end
redis.call('ZADD', ACTIVE, 'NX', 0, job)
touch(job)
return known and 0 or 1
