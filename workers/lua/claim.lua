-- Take the lease of a shard that nobody holds. Answers { token, out }, or nothing when it is not to be had.
-- ARGV: job, shard, worker, milliseconds of the lease.
local job, shard, worker, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local head, at = key(job, 'head'), now()
redis.call('ZREM', HINTED, job .. ' ' .. shard)
local from = redis.call('ZSCORE', key(job, 'todo'), shard)
if not from or tonumber(from) > at or not takeable(job, shard) then return false end
redis.call('ZREM', key(job, 'todo'), shard)
-- The epoch grows with every claim of the job: of two tokens the higher is the later.
local token = redis.call('HINCRBY', head, 'epoch', 1) .. ':' .. worker
redis.call('ZADD', key(job, 'leases'), at + lease, shard)
redis.call('HSET', key(job, 'owners'), shard, token)
local state = redis.call('HGET', head, 'state')
if state == 'queued' or state == 'waiting' then
  redis.call('HSET', head, 'state', 'running', 'state_reason', '')
end
redis.call('HSETNX', head, 'started_at', at)
touch(job)
return { token, redis.call('HGET', head, 'out') }
