-- A generation is one round of a pending update: opened by its first write, closed by its release. Its number is part
-- of the id of its flush job, so a job of an older round is known as superseded.
-- @include ../redis/time.lua

-- Opens a generation for a run that has none, and tells its number.
local function openGeneration(pendingKey, indexKey, sequenceKey, runId, nowUs)
  local generation = digits(redis.call('INCR', sequenceKey))
  redis.call('HSET', pendingKey, 'generation', generation, 'openedUs', digits(nowUs))
  redis.call('ZADD', indexKey, digits(nowUs / 1000), runId)
  return generation
end
