-- Set money aside, as pipeline.limits.budget.room decides. Answers 'yes', 'later', 'no', or 'again' when what the worker
-- says of itself is older than what it has said already. What a dead worker had set aside counts as spent, since
-- its calls may have been paid for.
-- ARGV: job, worker, its sums (see money), price, limit; all in billionths of a dollar.
local job, worker, said, price, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local budget, at = key(job, 'budget'), now()
local mine, my_spent, times = money(said)
local _, _, known = money(redis.call('HGET', budget, worker))
if known > times then return 'again' end

local spent, reserved, all = my_spent, mine, redis.call('HGETALL', budget)
for index = 1, #all, 2 do
  if all[index] ~= worker then
    local aside, gone = money(all[index + 1])
    spent = spent + gone
    if alive(all[index], at) then reserved = reserved + aside else spent = spent + aside end
  end
end
local answer = 'yes'
if spent + reserved + price > limit then
  answer = (reserved > 0 and spent + price <= limit) and 'later' or 'no'
else
  mine = mine + price
end
redis.call('HSET', budget, worker, count(mine) .. ' ' .. count(my_spent) .. ' ' .. count(times))
redis.call('PEXPIRE', budget, MONTH)
return answer
