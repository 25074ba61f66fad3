-- settleWrites: a PATCH was applied, and the job goes on: there is more to try. As ./settle.lua says.
--
-- KEYS[1] pending
-- KEYS[2] sent
-- KEYS[3] lettered
-- KEYS[4] throttle
--
-- ARGV[1] nowUs      empty: TIME
-- ARGV[2] channel    where a change of the lane is announced
-- ARGV[3] runId
-- ARGV[4] outcome    JSON, for people: what was sent, and when
-- ARGV[5] sentTtlMs
-- ARGV[6] probe      of the permit, or empty
-- ARGV[7] outcomesChannel
-- ARGV[8] announcement  for those who wait for the writes; empty: nobody does
-- ARGV[..] for each write: path, stamp, rule, JSON of the value
--
-- Returns the state of the lane.
-- @include ../redis/time.lua
-- @include settle.lua
-- @include announceOutcome.lua

local pendingKey, sentKey, letteredKey, throttleKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local nowUs = readNowUs(ARGV[1])
local channel, runId, outcome, sentTtlMs, probe = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local outcomesChannel, announcement = ARGV[7], ARGV[8]
local FIRST_WRITE_ARG = 9

settle(pendingKey, sentKey, letteredKey, runId, outcome, sentTtlMs, readApplied(ARGV, FIRST_WRITE_ARG))
announceOutcome(outcomesChannel, announcement)
return noteApplied(throttleKey, channel, nowUs, probe, 0)
