-- Say that results and report are written: the job is ended. Answers 1 when it is.
-- It is not when the step is not ours, when shards are open (the job stands still, or they were opened again), or when
-- the last of them was folded meanwhile: then another last step is to come.
-- ARGV: job, token, state, milliseconds of the end.
local job, token, state, at = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not owned(job, FINISH, token) then return 0 end
give_back(job, FINISH)
local head = key(job, 'head')
local sums = redis.call('HMGET', head, 'folded', 'shards')
if tonumber(sums[1]) < tonumber(sums[2]) or redis.call('ZSCORE', key(job, 'todo'), FINISH) then return 0 end
redis.call('HSET', head, 'state', state, 'state_reason', '', 'finished_at', at)
redis.call('ZREM', ACTIVE, job)
touch(job)
return 1
