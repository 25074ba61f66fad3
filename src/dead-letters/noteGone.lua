-- noteGone: these dead letters have left the list, or are about to. Each counts once, whoever tells it first.
--
-- KEYS[1] ids
-- KEYS[2] counts
--
-- ARGV[1] as  what they are counted as: redriven or removed
-- ARGV[..] ids
--
-- Returns how many of them were counted now.

local idsKey, countsKey = KEYS[1], KEYS[2]
local as = ARGV[1]
local FIRST_ID_ARG = 2

local counted = redis.call('ZREM', idsKey, unpack(ARGV, FIRST_ID_ARG))
if counted > 0 then
  redis.call('HINCRBY', countsKey, as, counted)
end
return counted
