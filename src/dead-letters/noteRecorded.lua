-- noteRecorded: a dead letter is about to be added. One that is known already (a crash came in between) counts once.
--
-- KEYS[1] ids
-- KEYS[2] counts
--
-- ARGV[1] nowUs  empty: TIME
-- ARGV[2] id
--
-- Returns nothing.
-- @include ../redis/time.lua

local idsKey, countsKey = KEYS[1], KEYS[2]
local nowUs = readNowUs(ARGV[1])
local id = ARGV[2]

if redis.call('ZADD', idsKey, 'NX', digits(nowUs / 1000), id) == 1 then
  redis.call('HINCRBY', countsKey, 'recorded', 1)
end
