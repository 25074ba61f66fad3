-- takeRedriveSlot: a turn to merge a dead letter's writes again. All redrives of a lane take every n-th permit's time at
-- most, so that a retry of thousands leaves live updates their part of the rate. First come, first served.
--
-- KEYS[1] throttle
-- KEYS[2] pace
--
-- ARGV[1] nowUs          empty: TIME
-- ARGV[2] permitsASlot   so many permits lie between two slots
-- ARGV[3] furthestSlots  a slot further ahead than this many is what a slower rate has left
--
-- Returns how long to wait for it, in us; 0 where no worker has told the lane's rate yet.
-- @include ../redis/time.lua

local throttleKey, paceKey = KEYS[1], KEYS[2]
local nowUs = readNowUs(ARGV[1])
local permitsASlot, furthestSlots = tonumber(ARGV[2]), tonumber(ARGV[3])

local spacingUs = tonumber(redis.call('HGET', throttleKey, 'spacingUs') or '0') * permitsASlot
if spacingUs == 0 then
  return '0'
end
local known = redis.call('HMGET', paceKey, 'nextSlotUs', 'askedUs')
-- Where the clock was set back since the last one asked, the next slot is moved back with it.
local setBackUs = math.max(0, (tonumber(known[2] or '') or 0) - nowUs)
local freeUs = (tonumber(known[1] or '') or 0) - setBackUs
local slotUs = math.max(nowUs, math.min(freeUs, nowUs + furthestSlots * spacingUs))
local nextUs = slotUs + spacingUs
redis.call('HSET', paceKey, 'nextSlotUs', digits(nextUs), 'askedUs', digits(nowUs))
redis.call('PEXPIRE', paceKey, digits(math.ceil((nextUs - nowUs) / 1000)))
return digits(slotUs - nowUs)
