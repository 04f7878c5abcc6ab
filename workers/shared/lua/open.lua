-- Put a job on the board, or let the one that is there go on. Answers 1 when it was put there anew.
-- ARGV: job; JSON { out, rows, shards, wanted, want, state, reason, only_lost, spare, maybe_paid }; then for each shard that was
-- begun its name, JSON of its sums, and 1 when it is folded.
-- With only_lost nothing is done to a job that is there. `spare`: milliseconds for which those who held a shard that
-- is open may come back to it, when the server has lost what it knew of the job. `maybe_paid`: billionths of a dollar.
local job, said = ARGV[1], cjson.decode(ARGV[2])
local head, todo, at = key(job, 'head'), key(job, 'todo'), now()
local there = redis.call('HMGET', head, 'state', 'shards')
if there[1] and said.only_lost then return 0 end
local known = there[1] and there[1] ~= 'finished' and there[1] ~= 'cancelled'
local folded, begun, planned = {}, {}, 0
for index = 3, #ARGV, 3 do
  local of_shard = ARGV[index + 2] == '1' and folded or begun
  of_shard[ARGV[index]] = ARGV[index + 1]
end

local function begin()
  for _, part in ipairs(PARTS) do redis.call('DEL', key(job, part)) end
  redis.call('HSET', head, 'submitted_at', at, 'folded', 0, 'epoch', at, 'born', at)
  if not there[1] then redis.call('HSET', head, 'rebuilt', 1) end
  for shard, sums in pairs(folded) do
    redis.call('HINCRBY', head, 'folded', 1)
    move_sums(job, shard, sums)
  end
  for shard, sums in pairs(begun) do move_sums(job, shard, sums) end
  local spent = tonumber(redis.call('HGET', head, 'cost') or '0') + said.maybe_paid
  redis.call('HSET', key(job, 'budget'), 'earlier', '0 ' .. count(spent) .. ' 0')
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
for number = planned + 1, said.shards do
  local shard = string.format('%07d', number)
  local from = (begun[shard] and not there[1]) and at + said.spare or 0
  if not folded[shard] then redis.call('ZADD', todo, from, shard) end
end
redis.call('HSET', head, 'out', said.out, 'rows', said.rows, 'shards', said.shards,
  'want', said.want, 'wanted', said.wanted)
-- One that runs already goes on running.
if not (known and goes_on(there[1]) and said.state == 'queued') then
  redis.call('HSET', head, 'state', said.state, 'state_reason', said.reason)
end
redis.call('HDEL', head, 'finished_at')
if tonumber(redis.call('HGET', head, 'folded')) < said.shards then
  redis.call('ZREM', todo, FINISH)
elseif redis.call('HEXISTS', key(job, 'owners'), FINISH) == 0 then
  redis.call('ZADD', todo, 0, FINISH)
end
redis.call('ZADD', ACTIVE, 'NX', 0, job)
redis.call('SADD', TOLD, job)
touch(job)
return known and 0 or 1
