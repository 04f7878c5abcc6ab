-- Announce what people want of a job, which control.json says already. Answers 0 when there is no such job here.
-- ARGV: job, wanted state, JSON of wanted, the reason that is shown while it is so, '1' when it is said by a worker that
-- has read it: a job that a row has stopped goes on only when a person says so.
local job, want, wanted, reason, repeated = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local head = key(job, 'head')
local there = redis.call('HMGET', head, 'state', 'want')
local state, was = there[1], there[2]
if not state or state == 'finished' or state == 'cancelled' then return 0 end
local before = redis.call('HGET', head, 'wanted')
if before and cjson.decode(before).rpm ~= cjson.decode(wanted).rpm then
  -- Turns that were booked at another pace are void.
  redis.call('HDEL', key(job, 'pace'), 'free_at')
end
redis.call('HSET', head, 'want', want, 'wanted', wanted)
if want == 'paused' and goes_on(state) then
  redis.call('HSET', head, 'state', 'paused', 'state_reason', reason)
elseif want == 'running' and (state == 'paused' or state == 'halted') and not (repeated and was == 'running') then
  redis.call('HSET', head, 'state', 'queued', 'state_reason', '')
  -- Turns that were booked before it stopped are waited for by nobody.
  redis.call('HDEL', key(job, 'pace'), 'free_at')
elseif want == 'cancelled' then
  redis.call('HSET', head, 'state', 'running', 'state_reason', reason)
end
touch(job)
return 1
