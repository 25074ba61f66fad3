-- A lease says which call of the processor may send for a run, and until when. Promise 3 (one PATCH in flight per run)
-- rests on it, and on nothing else: BullMQ's lock can be lost while the processor goes on.

-- How long another owner's lease still lasts, in microseconds; nil where there is none, or it is over, or it is ours.
-- One that ends later than a lease can is what a clock set back has left: it is cut, in place, to the longest there is.
local function othersLeaseUs(pendingKey, leaseOwner, leaseUntilUs, owner, nowUs, longestUs)
  local untilUs = tonumber(leaseUntilUs)
  if not leaseOwner or not untilUs or leaseOwner == owner then
    return nil
  end
  if untilUs > nowUs + longestUs then
    untilUs = nowUs + longestUs
    redis.call('HSET', pendingKey, 'leaseUntilUs', string.format('%.0f', untilUs))
  end
  if untilUs <= nowUs then
    return nil
  end
  return untilUs - nowUs
end
