-- keepSent: a dead letter of this run is about to be recorded. Until its last one is gone, what was sent is remembered
-- without a TTL, so that a redrive a month later is still known as older than what was applied since.
--
-- KEYS[1] sent
-- KEYS[2] lettered
--
-- ARGV[1] nowUs  empty: TIME
-- ARGV[2] runId
--
-- Returns nothing.
-- @include ../redis/time.lua

local sentKey, letteredKey = KEYS[1], KEYS[2]
local nowUs = readNowUs(ARGV[1])
local runId = ARGV[2]

redis.call('ZADD', letteredKey, digits(nowUs / 1000), runId)
redis.call('PERSIST', sentKey)
