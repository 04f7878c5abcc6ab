-- Note that the holder of a shard is about to call for rows of it: if it dies before that, the shard is not to blame.
-- ARGV: job, shard, token.
local job, shard, token = ARGV[1], ARGV[2], ARGV[3]
if not owned(job, shard, token) then return 0 end
redis.call('HSET', key(job, 'begun'), shard, token)
redis.call('PEXPIRE', key(job, 'begun'), MONTH)
return 1
