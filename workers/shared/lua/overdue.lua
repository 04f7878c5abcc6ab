-- How many messages were published before the last `age` and lie in the queue still, to be taken by anybody.
-- ARGV: milliseconds of age.
local messages = 0
for _, list in ipairs(QUEUE_LISTS) do messages = messages + redis.call('LLEN', list) end
return math.min(messages, redis.call('ZCOUNT', HINTED, '-inf', now() - tonumber(ARGV[1])))
