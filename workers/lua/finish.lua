-- Say that results and report are written: the job is ended. Answers 1 when the step was ours.
-- ARGV: job, token, state, milliseconds of the end.
local job, token, state, at = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not owned(job, FINISH, token) then return 0 end
drop_lease(job, FINISH)
redis.call('HSET', key(job, 'head'), 'state', state, 'state_reason', '', 'finished_at', at)
redis.call('ZREM', ACTIVE, job)
touch(job)
return 1
