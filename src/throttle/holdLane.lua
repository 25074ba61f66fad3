-- holdLane: an operator closes the lane, until an operator opens it.
--
-- KEYS[1] throttle
--
-- ARGV[1] nowUs    empty: TIME
-- ARGV[2] channel
-- ARGV[3] detail   why, in the operator's words
--
-- Returns nothing.
-- @include ../redis/time.lua
-- @include lane.lua

local throttleKey = KEYS[1]
local nowUs = readNowUs(ARGV[1])
local channel, detail = ARGV[2], ARGV[3]

local lane = readLane(throttleKey, nowUs)
holdLane(throttleKey, channel, lane, nowUs, 'operator', detail, false, '')
