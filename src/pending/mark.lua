-- The mark of a run: no write that is pending or was applied has an order above it. So a write at the mark or above it
-- is the newest of its field without a look at the field. It is one number, an observation time: an order with a tie
-- counts as the next microsecond. Too high a mark costs a look; one that is missing makes every write look.
-- It is the field newestUs of pending, and of sent for a run that has nothing pending.

local function raisedMark(mark, observedUs, tie)
  return math.max(mark, tie == 0 and observedUs or observedUs + 1)
end

local function readMark(hashKey)
  return tonumber(redis.call('HGET', hashKey, 'newestUs') or '')
end
