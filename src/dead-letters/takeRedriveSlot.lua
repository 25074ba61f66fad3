-- takeRedriveSlot: a turn to merge a dead letter's writes again. All redrives of a lane take every n-th permit's time at
-- most, so that a retry of thousands leaves live updates their part of the rate. First come, first served.
--
-- KEYS[1] throttle
-- KEYS[2] slot
--
-- ARGV[1] nowUs          empty: TIME
-- ARGV[2] permitsASlot   so many permits lie between two slots
-- ARGV[3] furthestSlots  a slot further ahead than this many is what a clock set back has left
--
-- Returns how long to wait for it, in us; 0 where no worker has told the lane's rate yet.
-- @include ../redis/time.lua

local throttleKey, slotKey = KEYS[1], KEYS[2]
local nowUs = readNowUs(ARGV[1])
local permitsASlot, furthestSlots = tonumber(ARGV[2]), tonumber(ARGV[3])

local spacingUs = tonumber(redis.call('HGET', throttleKey, 'spacingUs') or '0') * permitsASlot
if spacingUs == 0 then
  return '0'
end
local freeUs = tonumber(redis.call('GET', slotKey) or '0')
local slotUs = math.max(nowUs, math.min(freeUs, nowUs + furthestSlots * spacingUs))
local nextUs = slotUs + spacingUs
redis.call('SET', slotKey, digits(nextUs), 'PX', digits(math.ceil((nextUs - nowUs) / 1000)))
return digits(slotUs - nowUs)
