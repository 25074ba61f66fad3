-- countDeadLetter: the storm guard. Many dead letters in a row, of distinct runs, for one reason, with no success
-- between, are a broken set-up (a wrong organization's key, say), not as many bad updates: the lane is held.
--
-- KEYS[1] throttle
--
-- ARGV[1] nowUs     empty: TIME
-- ARGV[2] channel
-- ARGV[3] runId
-- ARGV[4] reason
-- ARGV[5] detail    the message of the answer
-- ARGV[6] stormRow  this many are a storm
--
-- Returns 1 if the letter may be recorded; 0 if the writes must stay pending: the lane is held for a storm of these.
-- @include ../redis/time.lua
-- @include lane.lua

local throttleKey = KEYS[1]
local nowUs = readNowUs(ARGV[1])
local channel, runId, reason, detail, stormRow = ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])

local lane = readLane(throttleKey, nowUs)
if lane.accepted == reason and nowUs < (lane.acceptedUntilUs or 0) then
  return 1
end
if lane.state ~= 'open' and lane.reason == 'storm:' .. reason then
  return 0
end
local runs = lane.stormReason == reason and lane.stormRuns or ''
if string.find(' ' .. runs .. ' ', ' ' .. runId .. ' ', 1, true) then
  return 1
end
runs = runs .. ' ' .. runId
writeLane(throttleKey, lane, { stormReason = reason, stormRuns = runs })
local _, distinct = string.gsub(runs, '%S+', '')
if distinct >= stormRow and lane.state == 'open' then
  writeLane(throttleKey, lane, { stormReason = false, stormRuns = false })
  holdLane(throttleKey, channel, lane, nowUs, 'storm:' .. reason, detail, nowUs + lane.firstHoldUs, runId)
end
return 1
