-- Say that so many rows of a shard are settled, as the job folder has it: the heartbeats of one who has died may not
-- have said all. When some were settled since the last death, the count begins anew. Answers 1 when it does.
-- ARGV: job, shard, rows that are settled.
local job, shard, settled = ARGV[1], ARGV[2], tonumber(ARGV[3])
local told = redis.call('HGET', key(job, 'deaths'), shard)
if not told or settled <= cjson.decode(told).settled then return 0 end
redis.call('HSET', key(job, 'deaths'), shard, cjson.encode({ settled = settled, workers = {} }))
return 1
