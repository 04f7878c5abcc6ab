-- Give the claim of an edit back, if it is still ours: it may have run out, and another may have it.
-- ARGV: fingerprint, worker.
local edit, worker = EDIT .. ARGV[1], ARGV[2]
if redis.call('GET', edit) == worker then redis.call('DEL', edit) end
return 1
