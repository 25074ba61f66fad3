-- lookAtLane: the lane's state, its times read as a caller of takeTurn would read them: a look from outside must see
-- the end of a hold also where Redis's clock was set back.
--
-- KEYS[1] throttle
--
-- ARGV[1] nowUs          empty: TIME
-- ARGV[2] longestHoldUs
--
-- Returns {state, reason, detail, since us or '', until us or '', remaining us or -1 (until an operator opens it), rate,
--          spacing us or ''}
-- @include ../redis/time.lua
-- @include lane.lua

local throttleKey = KEYS[1]
local nowUs = readNowUs(ARGV[1])
local longestHoldUs = tonumber(ARGV[2])

local lane = readLane(throttleKey, nowUs)
if lane.state == 'probing' and (lane.probeUntilUs or nowUs) <= nowUs then
  -- Its holder is gone. Who waits for the next probe must see that it is due, for nobody else will take it.
  lane.state = 'held'
end
local endsUs = lane.state == 'probing' and lane.probeUntilUs or lane.untilUs
if endsUs and endsUs > nowUs + longestHoldUs then
  endsUs = nowUs + longestHoldUs
  writeLane(throttleKey, lane, { [lane.state == 'probing' and 'probeUntilUs' or 'untilUs'] = endsUs })
end
return {
  lane.state, lane.reason, lane.detail, lane.sinceUs and digits(lane.sinceUs) or '', lane.untilUs and digits(lane.untilUs) or '',
  endsUs and digits(math.max(0, endsUs - nowUs)) or -1, redis.call('HGET', throttleKey, 'rate') or '',
  lane.spacingUs and digits(lane.spacingUs) or '',
}
