-- Say that there is no more news of a job, unless it was opened again meanwhile. ARGV: job.
local job = ARGV[1]
local state = redis.call('HGET', key(job, 'head'), 'state')
if state and state ~= 'finished' and state ~= 'cancelled' then return 0 end
return redis.call('SREM', TOLD, job)
