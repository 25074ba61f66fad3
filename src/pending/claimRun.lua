-- claimRun: hands out what is pending for a run, and the lease to send it. Every try of every kind begins with it.
-- Guarantee: no two owners hold a run's lease at once.
--
-- KEYS[1] pending
-- KEYS[2] throttle
--
-- ARGV[1] nowUs        empty: TIME
-- ARGV[2] generation   of the job that asks
-- ARGV[3] owner        one call of the processor
-- ARGV[4] leaseUs
-- ARGV[5] epoch        of the permit
-- ARGV[6] probe        of the permit, or empty
--
-- Returns {'granted', now us, 1 if a held answer of this run has just been counted as its failure, field, value, ...}
--         (the fields of the pending hash)
--      or {'superseded'}: the generation is not the pending one's
--      or {'leased', remaining us}: another owner's lease is live
--      or {'held', remaining us or -1, reason}: the lane is closed, and this is not the probe's permit
--      or {'void'}: the lane was closed and opened again since the permit
-- @include ../redis/time.lua
-- @include ../throttle/lane.lua
-- @include lease.lua

local pendingKey, throttleKey = KEYS[1], KEYS[2]
local nowUs = readNowUs(ARGV[1])
local generation, owner, leaseUs = ARGV[2], ARGV[3], tonumber(ARGV[4])
local epoch, probe = tonumber(ARGV[5]), ARGV[6]

local known = redis.call('HMGET', pendingKey, 'generation', 'leaseOwner', 'leaseUntilUs', 'appliedMark', 'heldMark')
if known[1] ~= generation then
  return { 'superseded' }
end
local leasedUs = othersLeaseUs(pendingKey, known[2], known[3], owner, nowUs, leaseUs)
if leasedUs then
  return { 'leased', digits(leasedUs) }
end

local lane = readLane(throttleKey, nowUs)
if lane.state ~= 'open' and not isItsProbe(lane, probe) then
  local endsUs = lane.state == 'probing' and lane.probeUntilUs or lane.untilUs
  return { 'held', endsUs and digits(math.max(endsUs - nowUs, 0)) or -1, lane.reason }
end
if epoch ~= lane.epoch then
  return { 'void' }
end

-- A failure counts only if another run was applied since the last one; the first: since the first claim. The marks
-- hold the lane's count of applied PATCHes at that moment.
local applied = lane.applied or 0
local lease = { 'leaseOwner', owner, 'leaseUntilUs', digits(nowUs + leaseUs) }
local heldIsCounted = 0
if not known[4] or (known[5] and tonumber(known[5]) ~= applied) then
  lease[5], lease[6] = 'appliedMark', digits(applied)
  if known[4] then
    redis.call('HINCRBY', pendingKey, 'failures', 1)
    redis.call('HINCRBY', pendingKey, 'tries', 1)
    heldIsCounted = 1
  end
end
if known[4] and known[5] then
  redis.call('HDEL', pendingKey, 'heldMark')
end
redis.call('HSET', pendingKey, unpack(lease))

local reply = redis.call('HGETALL', pendingKey)
table.insert(reply, 1, 'granted')
table.insert(reply, 2, digits(nowUs))
table.insert(reply, 3, heldIsCounted)
return reply
