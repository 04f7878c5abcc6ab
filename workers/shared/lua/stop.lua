-- Stop a job for a reason (halted, paused); of several the first holds. Answers 1 when this one did.
-- ARGV: job, state, reason.
local job, state, reason = ARGV[1], ARGV[2], ARGV[3]
local head = key(job, 'head')
local there = redis.call('HMGET', head, 'state', 'want')
if not goes_on(there[1]) or there[2] == 'cancelled' then return 0 end
redis.call('HSET', head, 'state', state, 'state_reason', reason)
touch(job)
return 1
