-- Take a job off the board, if no worker is alive and no lease is held. Answers 1 when it is not there any more.
-- ARGV: job.
local job, at = ARGV[1], now()
local cards = redis.call('HGETALL', WORKERS)
for index = 1, #cards, 2 do
  if alive(cards[index], at) then return 0 end
end
if redis.call('ZCOUNT', key(job, 'leases'), '(' .. at, '+inf') > 0 then return 0 end
for _, part in ipairs(PARTS) do redis.call('DEL', key(job, part)) end
redis.call('ZREM', ACTIVE, job)
return 1
