-- setRate: the rate of the lane and its pauses between probes, as the last worker to start has them.
--
-- KEYS[1] throttle
--
-- ARGV[1] spacingUs
-- ARGV[2] rate        for people, as '50 in 1000 ms'
-- ARGV[3] firstHoldUs
-- ARGV[4] longestProbePauseUs
--
-- Returns the rate that was there before, or ''.

local throttleKey = KEYS[1]
local spacingUs, rate, firstHoldUs, longestProbePauseUs = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local before = redis.call('HGET', throttleKey, 'rate')
redis.call('HSET', throttleKey, 'spacingUs', spacingUs, 'rate', rate, 'firstHoldUs', firstHoldUs,
  'longestProbePauseUs', longestProbePauseUs)
return before or ''
