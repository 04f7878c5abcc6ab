-- Claim an edit of which several rows are equal; the claim of a worker that has died is nobody's. Answers 1 when it is
-- ours.
-- ARGV: fingerprint, worker, milliseconds for which it is claimed.
local edit, worker, lives = EDIT .. ARGV[1], ARGV[2], tonumber(ARGV[3])
local holder = redis.call('GET', edit)
if holder and alive(holder, now()) then return 0 end
redis.call('SET', edit, worker, 'PX', lives)
return 1
