-- Say that a shard is folded. Answers 0 when it is not ours, 1, or 2 when it was the job's last.
-- ARGV: job, shard, token, JSON of the shard's sums.
local job, shard, token, sums = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not ours(job, shard, token) then return 0 end
give_back(job, shard)
redis.call('HDEL', key(job, 'deaths'), shard)
redis.call('HDEL', key(job, 'begun'), shard)
move_sums(job, shard, sums)
local head = key(job, 'head')
local folded = redis.call('HINCRBY', head, 'folded', 1)
touch(job)
owe_results(job)
if folded < tonumber(redis.call('HGET', head, 'shards')) then return 1 end
redis.call('ZADD', key(job, 'todo'), 0, FINISH)
return 2
