-- Milliseconds for which the longest hold of a job still lasts.
-- ARGV: job.
return count(longest_hold(ARGV[1], now()))
