-- Give a shard back; nobody takes it before `delay` has passed. Answers 1 when it was ours.
-- With a reason the job waits for it, unless others still work on the job.
-- ARGV: job, shard, token, milliseconds of delay, reason or '', JSON of the shard's sums or ''.
local job, shard, token, delay, reason, sums = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
if not owned(job, shard, token) then return 0 end
give_back(job, shard)
if sums ~= '' then move_sums(job, shard, sums) end
redis.call('ZADD', key(job, 'todo'), now() + delay, shard)
local head = key(job, 'head')
owe_results(job)
if reason ~= '' and redis.call('ZCARD', key(job, 'leases')) == 0 and goes_on(redis.call('HGET', head, 'state')) then
  redis.call('HSET', head, 'state', 'waiting', 'state_reason', reason)
end
touch(job)
return 1
