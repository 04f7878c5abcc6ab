-- Book the start of a call, as pipeline.limits.pace.book does. Answers the milliseconds until then.
-- ARGV: job, model, calls a minute or ''.
local job, model, rpm = ARGV[1], ARGV[2], tonumber(ARGV[3])
local pace, at = key(job, 'pace'), now()
local there = redis.call('HMGET', pace, 'free_at', 'held:' .. model)
local free_at, held = tonumber(there[1] or 0), tonumber(there[2] or 0)
if not rpm then return count(math.max(0, held - at)) end
local start = math.max(at, free_at, held)
-- Kept to the microsecond: 60000 / rpm is seldom a whole number of milliseconds.
redis.call('HSET', pace, 'free_at', string.format('%.3f', start + 60000 / rpm))
redis.call('PEXPIRE', pace, MONTH)
return count(start - at)
