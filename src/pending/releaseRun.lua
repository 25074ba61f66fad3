-- releaseRun: the end of a job, as ./release.lua says.
--
-- KEYS[1] pending
-- KEYS[2] index
-- KEYS[3] sequence
--
-- ARGV[1] nowUs           empty: TIME
-- ARGV[2] runId
-- ARGV[3] generation
-- ARGV[4] owner
-- ARGV[5] windowUs
-- ARGV[6] longestLeaseUs
-- ARGV[7] updates         how many of the merged updates were handed out to this job
-- ARGV[8] origins         those that were handed out to this job, separated by spaces
--
-- Returns {'gone'}, {'superseded'}, {'leased'} or {'opened', generation, us until the window since the first left-over
--         write is over, the first origin that is left or ''}
-- @include ../redis/time.lua
-- @include release.lua

local pendingKey, indexKey, sequenceKey = KEYS[1], KEYS[2], KEYS[3]
local nowUs = readNowUs(ARGV[1])
local runId, generation, owner = ARGV[2], ARGV[3], ARGV[4]
local windowUs, longestLeaseUs, updates, origins = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]

return release(
  pendingKey, indexKey, sequenceKey, nowUs, runId, generation, owner, windowUs, longestLeaseUs, updates, origins
)
