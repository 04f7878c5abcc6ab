-- Say that this worker cannot take a shard just now: its message is used up, and others may have it after `delay`.
-- ARGV: job, shard, milliseconds of delay.
local job, shard, delay = ARGV[1], ARGV[2], tonumber(ARGV[3])
redis.call('ZREM', HINTED, job .. ' ' .. shard)
local todo = key(job, 'todo')
if redis.call('ZSCORE', todo, shard) then redis.call('ZADD', todo, 'GT', now() + delay, shard) end
return 1
