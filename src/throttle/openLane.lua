-- openLane: an operator opens the lane, whatever closed it.
--
-- KEYS[1] throttle
--
-- ARGV[1] nowUs    empty: TIME
-- ARGV[2] channel
-- ARGV[3] accepted   the reason of dead letters that are no storm for a while; empty: none
-- ARGV[4] acceptedUs for how long
--
-- Returns 1 if it was closed.
-- @include ../redis/time.lua
-- @include lane.lua

local throttleKey = KEYS[1]
local nowUs = readNowUs(ARGV[1])
local channel, accepted, acceptedUs = ARGV[2], ARGV[3], tonumber(ARGV[4])

local lane = readLane(throttleKey, nowUs)
local wasClosed = lane.state ~= 'open'
openLane(throttleKey, channel, lane)
writeLane(throttleKey, lane, {
  accepted = accepted ~= '' and accepted or false, acceptedUntilUs = accepted ~= '' and nowUs + acceptedUs or false,
  stormReason = false, stormRuns = false, seenUs = nowUs,
})
return wasClosed and 1 or 0
