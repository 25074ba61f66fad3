-- takeTurn: a permit to send one request for a run, and, where its slot is free now, the claim in the same step. Every try
-- of every kind begins with it. A permit that has to wait, or a probe's, is claimed later (claimRun): so the run goes on
-- coalescing, and a probe's API key is read again first.
-- Guarantee: no two owners hold a run's lease at once; a job that is superseded, or has to wait for a lease, gets no slot.
--
-- KEYS[1] pending
-- KEYS[2] throttle
--
-- ARGV[1] nowUs          empty: TIME
-- ARGV[2] runId
-- ARGV[3] generation     of the job that asks
-- ARGV[4] owner          one call of the processor
-- ARGV[5] leaseUs
-- ARGV[6] longestHoldUs  a hold further ahead than this is read as this
-- ARGV[7] probeTtlUs     how long a probe may take
-- ARGV[8] otherRunPauseUs how long the run that probed last leaves the next probe to another
--
-- Returns {'claimed', epoch, now us, 1 if a held answer of this run has just been counted as its failure, field, value, ...}
--         (the fields of the pending hash)
--      or {'granted', wait us, epoch, probe or '', reason of the hold that it probes}
--      or {'superseded'}: the generation is not the pending one's
--      or {'leased', remaining us}: another owner's lease is live
--      or {'no_rate'}: the lane has no rate, which only a Redis that has lost it can say, for a worker sets it at its start
--      or {'held', remaining us or -1 (until an operator opens it), reason}
-- @include ../redis/time.lua
-- @include ../throttle/permit.lua
-- @include claim.lua

local pendingKey, throttleKey = KEYS[1], KEYS[2]
local nowUs = readNowUs(ARGV[1])
local runId, generation, owner, leaseUs = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local longestHoldUs, probeTtlUs, otherRunPauseUs = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

local refusal, marks = refuseClaim(pendingKey, generation, owner, nowUs, leaseUs)
if refusal then
  return refusal
end
local lane = readLane(throttleKey, nowUs)
if not lane.spacingUs then
  return { 'no_rate' }
end
local permit = takePermit(throttleKey, lane, nowUs, runId, longestHoldUs, probeTtlUs, otherRunPauseUs)
local kind, waitUs, epoch, probe = unpack(permit)
if kind ~= 'granted' or waitUs ~= '0' or probe ~= '' then
  return permit
end
return { 'claimed', epoch, unpack(grantClaim(pendingKey, lane, owner, nowUs, leaseUs, marks)) }
