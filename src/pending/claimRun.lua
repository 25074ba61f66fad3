-- claimRun: claims a run for a permit whose slot has come. As ./claim.lua says.
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
-- @include claim.lua

local pendingKey, throttleKey = KEYS[1], KEYS[2]
local nowUs = readNowUs(ARGV[1])
local generation, owner, leaseUs = ARGV[2], ARGV[3], tonumber(ARGV[4])
local epoch, probe = tonumber(ARGV[5]), ARGV[6]

local refusal, marks = refuseClaim(pendingKey, generation, owner, nowUs, leaseUs)
if refusal then
  return refusal
end
local lane = readLane(throttleKey, nowUs)
if lane.state ~= 'open' and not isItsProbe(lane, probe) then
  local endsUs = lane.state == 'probing' and lane.probeUntilUs or lane.untilUs
  return { 'held', endsUs and digits(math.max(endsUs - nowUs, 0)) or -1, lane.reason }
end
if epoch ~= lane.epoch then
  return { 'void' }
end
return { 'granted', unpack(grantClaim(pendingKey, lane, owner, nowUs, leaseUs, marks)) }
