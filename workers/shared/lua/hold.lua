-- Let nobody call a model for a while; a longer hold is never shortened.
-- ARGV: job, model, milliseconds.
local pace, field = key(ARGV[1], 'pace'), 'held:' .. ARGV[2]
local held = now() + tonumber(ARGV[3])
if held > tonumber(redis.call('HGET', pace, field) or 0) then redis.call('HSET', pace, field, count(held)) end
redis.call('PEXPIRE', pace, MONTH)
return 1
