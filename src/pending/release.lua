-- The end of a job. Drops the lease. Nothing pending: the pending update is gone. Something left: one new generation,
-- whose job is then added. A release that comes too late (the generation is another one, or another owner holds the
-- lease) changes nothing but its own lease.
-- @include generation.lua
-- @include lease.lua
-- @include origins.lua
-- @include stamp.lua

-- Whether entries are left, and the arrival of the first.
local function findLeft(pendingKey, nowUs)
  local isSomethingLeft, firstArrivedUs = false, nowUs
  local fields = redis.call('HGETALL', pendingKey)
  for i = 1, #fields, 2 do
    local kind = string.match(fields[i], '^(%a+):.')
    if kind == 'stamp' or kind == 'value' then
      isSomethingLeft = true
    end
    if kind == 'stamp' then
      firstArrivedUs = math.min(firstArrivedUs, readHistory(fields[i + 1]) or nowUs)
    end
  end
  return isSomethingLeft, firstArrivedUs
end

-- Returns {'gone'}, {'superseded'}, {'leased'} or {'opened', generation, us until the window since the first left-over
-- write is over, the first origin that is left or ''}. updates: how many of the merged updates were handed out to this
-- job; origins: theirs, separated by spaces.
local function release(
  pendingKey, indexKey, sequenceKey, nowUs, runId, generation, owner, windowUs, longestLeaseUs, updates, origins
)
  local known = redis.call('HMGET', pendingKey, 'generation', 'leaseOwner', 'leaseUntilUs', 'updates', 'origins')
  if othersLeaseUs(pendingKey, known[2], known[3], owner, nowUs, longestLeaseUs) then
    return { 'leased' }
  end
  if known[1] ~= generation then
    if known[2] == owner then
      redis.call('HDEL', pendingKey, 'leaseOwner', 'leaseUntilUs')
    end
    return { 'superseded' }
  end

  local isSomethingLeft, firstArrivedUs = findLeft(pendingKey, nowUs)
  if not isSomethingLeft then
    redis.call('DEL', pendingKey)
    redis.call('ZREM', indexKey, runId)
    return { 'gone' }
  end
  redis.call(
    'HDEL', pendingKey, 'leaseOwner', 'leaseUntilUs', 'failures', 'tries', 'appliedMark', 'heldMark', 'trouble', 'triedUs'
  )
  redis.call('HSET', pendingKey, 'updates', digits(math.max(0, (tonumber(known[4]) or 0) - updates)))
  local firstOrigin = known[5] and dropOrigins(pendingKey, known[5], origins) or ''
  local opened = openGeneration(pendingKey, indexKey, sequenceKey, runId, nowUs)
  local waitUs = math.max(0, firstArrivedUs + windowUs - nowUs)
  return { 'opened', opened, digits(waitUs), firstOrigin }
end
