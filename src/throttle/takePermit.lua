-- takePermit: the right to send one request, at a time that keeps all processes within one rate.
-- Guarantee: by Redis's clock, slots are at least spacingUs apart, but for those that a hold has voided. While the lane
-- is closed none is given out but the probe's, to one caller at a time.
--
-- KEYS[1] throttle
-- KEYS[2] pending
--
-- ARGV[1] nowUs          empty: TIME
-- ARGV[2] runId
-- ARGV[3] generation     of the job that asks: one that is superseded gets no slot
-- ARGV[4] owner
-- ARGV[5] longestLeaseUs
-- ARGV[6] longestHoldUs  a hold further ahead than this is read as this
-- ARGV[7] probeTtlUs     how long a probe may take
-- ARGV[8] otherRunPauseUs how long the run that probed last leaves the next probe to another
--
-- Returns {'granted', wait us, epoch, probe or '', reason of the hold that it probes}
--      or {'superseded'}
--      or {'leased', remaining us}
--      or {'held', remaining us or -1 (until an operator opens it), reason}
-- @include ../redis/time.lua
-- @include lane.lua
-- @include ../pending/lease.lua

local throttleKey, pendingKey = KEYS[1], KEYS[2]
local nowUs = readNowUs(ARGV[1])
local runId, generation, owner = ARGV[2], ARGV[3], ARGV[4]
local longestLeaseUs, longestHoldUs = tonumber(ARGV[5]), tonumber(ARGV[6])
local probeTtlUs, otherRunPauseUs = tonumber(ARGV[7]), tonumber(ARGV[8])

local pending = redis.call('HMGET', pendingKey, 'generation', 'leaseOwner', 'leaseUntilUs')
if pending[1] ~= generation then
  return { 'superseded' }
end
local leasedUs = othersLeaseUs(pendingKey, pending[2], pending[3], owner, nowUs, longestLeaseUs)
if leasedUs then
  return { 'leased', digits(leasedUs) }
end

local lane = readLane(throttleKey, nowUs)

local function takeSlot()
  local slotUs = math.max(nowUs, lane.nextSlotUs or 0)
  writeLane(throttleKey, lane, { nextSlotUs = slotUs + (lane.spacingUs or 0), seenUs = nowUs })
  return slotUs
end

if lane.state == 'open' then
  return { 'granted', digits(takeSlot() - nowUs), digits(lane.epoch), '', '' }
end

if lane.state == 'probing' then
  local probeUntilUs = lane.probeUntilUs or nowUs
  if probeUntilUs > nowUs + longestHoldUs then
    probeUntilUs = nowUs + longestHoldUs
    writeLane(throttleKey, lane, { probeUntilUs = probeUntilUs })
  end
  if nowUs < probeUntilUs then
    return { 'held', digits(probeUntilUs - nowUs), lane.reason }
  end
  -- Its holder is gone: the hold is over since then, and the next probe is due.
  writeLane(throttleKey, lane, {
    state = 'held', untilUs = noSoonerUs(lane, probeUntilUs), probe = false, probeUntilUs = false,
  })
end

if not lane.untilUs then
  return { 'held', -1, lane.reason }
end
if lane.untilUs > nowUs + longestHoldUs then
  writeLane(throttleKey, lane, { untilUs = nowUs + longestHoldUs })
end
if nowUs < lane.untilUs then
  return { 'held', digits(lane.untilUs - nowUs), lane.reason }
end
local sameRunUs = lane.untilUs + otherRunPauseUs
if runId == lane.lastProbeRun and nowUs < sameRunUs then
  return { 'held', digits(sameRunUs - nowUs), lane.reason }
end

local slotUs = takeSlot()
local probe = redis.call('HINCRBY', throttleKey, 'probes', 1)
writeLane(throttleKey, lane, {
  state = 'probing', probe = probe, probeUntilUs = slotUs + probeTtlUs, lastProbeRun = runId,
  previousProbeRun = lane.lastProbeRun,
})
return { 'granted', digits(slotUs - nowUs), digits(lane.epoch), digits(probe), lane.reason }
