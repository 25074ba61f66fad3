-- settleAndRelease: a PATCH was applied, and with it all that its job has to send: settles and releases in one step.
--
-- KEYS[1] pending
-- KEYS[2] sent
-- KEYS[3] lettered
-- KEYS[4] throttle
-- KEYS[5] index
-- KEYS[6] sequence
--
-- ARGV[1] nowUs           empty: TIME
-- ARGV[2] channel         where a change of the lane is announced
-- ARGV[3] runId
-- ARGV[4] outcome         JSON, for people: what was sent, and when
-- ARGV[5] sentTtlMs
-- ARGV[6] probe           of the permit, or empty
-- ARGV[7] outcomesChannel
-- ARGV[8] announcement    for those who wait for the writes; empty: nobody does
-- ARGV[9] generation
-- ARGV[10] owner
-- ARGV[11] windowUs
-- ARGV[12] longestLeaseUs
-- ARGV[13] updates        how many of the merged updates were handed out to this job
-- ARGV[14] origins        those that were handed out to this job, separated by spaces
-- ARGV[..] for each write: path, stamp, rule, JSON of the value
--
-- Returns {'gone'}, {'superseded'}, {'leased'} or {'opened', generation, us until the window since the first left-over
--         write is over, the first origin that is left or ''}
-- @include ../redis/time.lua
-- @include settle.lua
-- @include announceOutcome.lua
-- @include release.lua

local pendingKey, sentKey, letteredKey, throttleKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local indexKey, sequenceKey = KEYS[5], KEYS[6]
local nowUs = readNowUs(ARGV[1])
local channel, runId, outcome, sentTtlMs, probe = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local outcomesChannel, announcement = ARGV[7], ARGV[8]
local generation, owner = ARGV[9], ARGV[10]
local windowUs, longestLeaseUs = tonumber(ARGV[11]), tonumber(ARGV[12])
local updates, origins = tonumber(ARGV[13]), ARGV[14]
local FIRST_WRITE_ARG = 15

settle(pendingKey, sentKey, letteredKey, runId, outcome, sentTtlMs, readApplied(ARGV, FIRST_WRITE_ARG))
announceOutcome(outcomesChannel, announcement)
noteApplied(throttleKey, channel, nowUs, probe, updates)
return release(
  pendingKey, indexKey, sequenceKey, nowUs, runId, generation, owner, windowUs, longestLeaseUs, updates, origins
)
