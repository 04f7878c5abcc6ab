-- Announce what people want of a job, which control.json says already. Answers 0 when there is no such job here.
-- ARGV: job, wanted state, JSON of wanted.
local job, want, wanted = ARGV[1], ARGV[2], ARGV[3]
local head = key(job, 'head')
local state = redis.call('HGET', head, 'state')
if not state or state == 'finished' or state == 'cancelled' then return 0 end
redis.call('HSET', head, 'want', want, 'wanted', wanted)
if want == 'paused' and goes_on(state) then
  redis.call('HSET', head, 'state', 'paused', 'state_reason', '')
elseif want == 'running' and (state == 'paused' or state == 'halted') then
  redis.call('HSET', head, 'state', 'queued', 'state_reason', '')
elseif want == 'cancelled' then
  redis.call('HSET', head, 'state', 'running', 'state_reason', 'being cancelled: calls in flight are let finish')
end
touch(job)
return 1
