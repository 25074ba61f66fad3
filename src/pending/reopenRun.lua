-- reopenRun: a new generation, where the old one's job is gone. Compare and set: the caller's look at the job is not
-- atomic with the pending update. Leaves the lease and the time of opening as they are.
--
-- KEYS[1] pending
-- KEYS[2] index
-- KEYS[3] sequence
--
-- ARGV[1] runId
-- ARGV[2] generation  the one whose job is gone; empty: none was found
--
-- Returns the new generation, or '' where the given one is no longer the pending one's.

local pendingKey, indexKey, sequenceKey = KEYS[1], KEYS[2], KEYS[3]
local runId, generation = ARGV[1], ARGV[2]

local found = redis.call('HGET', pendingKey, 'generation')
if not found then
  -- Nothing is pending: whoever deleted it by hand has left the index behind.
  redis.call('ZREM', indexKey, runId)
  return ''
end
if found ~= generation then
  return ''
end
local opened = string.format('%.0f', redis.call('INCR', sequenceKey))
redis.call('HSET', pendingKey, 'generation', opened)
return opened
