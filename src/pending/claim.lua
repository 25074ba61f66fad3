-- A claim hands out what is pending for a run, and the lease to send it.
-- @include lease.lua

-- Why the run can't be claimed ({'superseded'} or {'leased', remaining us}), or nil and the marks of its failures.
local function refuseClaim(pendingKey, generation, owner, nowUs, leaseUs)
  local known = redis.call('HMGET', pendingKey, 'generation', 'leaseOwner', 'leaseUntilUs', 'appliedMark', 'heldMark')
  if known[1] ~= generation then
    return { 'superseded' }
  end
  local leasedUs = othersLeaseUs(pendingKey, known[2], known[3], owner, nowUs, leaseUs)
  if leasedUs then
    return { 'leased', digits(leasedUs) }
  end
  return nil, { applied = known[4], held = known[5] }
end

-- A failure counts only if another run was applied since the last one; the first: since the first claim. The marks hold
-- the lane's count of applied PATCHes at that moment.
-- Returns {now us, 1 if a held answer of this run has just been counted as its failure, field, value, ...}.
local function grantClaim(pendingKey, lane, owner, nowUs, leaseUs, marks)
  local applied = lane.applied or 0
  local lease = { 'leaseOwner', owner, 'leaseUntilUs', digits(nowUs + leaseUs) }
  local heldIsCounted = 0
  if not marks.applied or (marks.held and tonumber(marks.held) ~= applied) then
    lease[5], lease[6] = 'appliedMark', digits(applied)
    if marks.applied then
      redis.call('HINCRBY', pendingKey, 'failures', 1)
      redis.call('HINCRBY', pendingKey, 'tries', 1)
      heldIsCounted = 1
    end
  end
  if marks.applied and marks.held then
    redis.call('HDEL', pendingKey, 'heldMark')
  end
  redis.call('HSET', pendingKey, unpack(lease))
  return { digits(nowUs), heldIsCounted, unpack(redis.call('HGETALL', pendingKey)) }
end
