-- reopenRun: a new generation, where the old one's job is gone. Compare and set: the caller's look at the job is not
-- atomic with the pending update. Leaves the lease and the time of opening as they are.
--
-- KEYS[1] pending
-- KEYS[2] index
-- KEYS[3] sequence
--
-- ARGV[1] nowUs       empty: TIME
-- ARGV[2] runId
-- ARGV[3] generation  the one whose job is gone; empty: none was found
--
-- Returns the new generation, or '' where the given one is no longer the pending one's.
-- @include ../redis/time.lua
-- @include generation.lua

local pendingKey, indexKey, sequenceKey = KEYS[1], KEYS[2], KEYS[3]
local nowUs = readNowUs(ARGV[1])
local runId, generation = ARGV[2], ARGV[3]

local found = redis.call('HGET', pendingKey, 'generation')
if not found then
  if redis.call('EXISTS', pendingKey) == 1 then
    -- A person has taken the generation out: what is left was acknowledged.
    return openGeneration(pendingKey, indexKey, sequenceKey, runId, nowUs)
  end
  -- Nothing is pending: whoever deleted it by hand has left the index behind.
  redis.call('ZREM', indexKey, runId)
  return ''
end
if found ~= generation then
  return ''
end
local opened = digits(redis.call('INCR', sequenceKey))
redis.call('HSET', pendingKey, 'generation', opened)
return opened
