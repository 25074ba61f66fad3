-- The state of a lane, and the only code that changes it.
--   open     every run may send, evenly spaced
--   held     nobody sends until untilUs (none: until an operator opens it)
--   probing  the hold is over, one caller has the probe's permit until probeUntilUs; what comes of it opens or holds
-- Every hold is a new epoch, and voids the slots that were given out in the one before.
-- @include ../redis/time.lua

local NUMBERS = {
  'spacingUs', 'nextSlotUs', 'seenUs', 'epoch', 'sinceUs', 'untilUs', 'probe', 'probeUntilUs', 'probeFailures', 'applied',
  'transientRow', 'firstHoldUs', 'longestProbePauseUs', 'acceptedUntilUs',
}
local TEXTS = {
  'state', 'reason', 'detail', 'lastProbeRun', 'previousProbeRun', 'transientRuns', 'stormReason', 'stormRuns', 'accepted',
}

-- Reads the lane. Where Redis's clock was set back since the last look, every stored time is moved back with it: an
-- hour's step must not close the lane for an hour, nor hand out a slot twice.
local function readLane(throttleKey, nowUs)
  local lane = {}
  local numbers = redis.call('HMGET', throttleKey, unpack(NUMBERS))
  for i, name in ipairs(NUMBERS) do
    lane[name] = tonumber(numbers[i] or '')
  end
  local texts = redis.call('HMGET', throttleKey, unpack(TEXTS))
  for i, name in ipairs(TEXTS) do
    lane[name] = texts[i] or ''
  end
  if lane.state == '' then
    lane.state = 'open'
  end
  lane.epoch = lane.epoch or 0
  lane.firstHoldUs = lane.firstHoldUs or 1000000
  lane.longestProbePauseUs = lane.longestProbePauseUs or 60000000
  if lane.seenUs and lane.seenUs > nowUs then
    local backUs = lane.seenUs - nowUs
    for _, name in ipairs({ 'nextSlotUs', 'sinceUs', 'untilUs', 'probeUntilUs', 'acceptedUntilUs' }) do
      if lane[name] then
        lane[name] = lane[name] - backUs
        redis.call('HSET', throttleKey, name, digits(lane[name]))
      end
    end
  end
  redis.call('HSET', throttleKey, 'seenUs', digits(nowUs))
  return lane
end

local function writeLane(throttleKey, lane, changes)
  local pairsToSet, toDelete = {}, {}
  for name, value in pairs(changes) do
    lane[name] = value
    if value == false then
      lane[name] = nil
      toDelete[#toDelete + 1] = name
    else
      pairsToSet[#pairsToSet + 1] = name
      pairsToSet[#pairsToSet + 1] = type(value) == 'number' and digits(value) or value
    end
  end
  if #pairsToSet > 0 then
    redis.call('HSET', throttleKey, unpack(pairsToSet))
  end
  if #toDelete > 0 then
    redis.call('HDEL', throttleKey, unpack(toDelete))
  end
end

local function announce(channel, lane)
  redis.call('PUBLISH', channel, lane.state)
end

-- The next slot once those given out are void: a slot up to now may have been used, and the rate holds across epochs.
local function firstFreeSlotUs(lane, nowUs)
  return math.min(lane.nextSlotUs or nowUs, nowUs + (lane.spacingUs or 0))
end

-- The end of a hold only moves away: what another answer was told meanwhile still holds.
local function noSoonerUs(lane, untilUs)
  return math.max(lane.untilUs or 0, untilUs)
end

-- Closes an open lane. untilUs false: until an operator opens it.
local function holdLane(throttleKey, channel, lane, nowUs, reason, detail, untilUs, runId)
  writeLane(throttleKey, lane, {
    state = 'held', reason = reason, detail = detail, sinceUs = nowUs, untilUs = untilUs, epoch = lane.epoch + 1,
    nextSlotUs = firstFreeSlotUs(lane, nowUs), lastProbeRun = runId, previousProbeRun = false, probe = false,
    probeUntilUs = false, probeFailures = 0, transientRow = false, transientRuns = false,
  })
  announce(channel, lane)
end

-- The probe failed: the hold goes on, longer each time, and never shorter than what the server asked for.
local function holdLonger(throttleKey, channel, lane, nowUs, reason, detail, waitUs)
  local failures = (lane.probeFailures or 0) + 1
  local pauseUs = math.min(lane.longestProbePauseUs, lane.firstHoldUs * 2 ^ math.min(failures, 10))
  writeLane(throttleKey, lane, {
    state = 'held', reason = reason, detail = detail, untilUs = noSoonerUs(lane, nowUs + math.max(pauseUs, waitUs or 0)),
    epoch = lane.epoch + 1, nextSlotUs = firstFreeSlotUs(lane, nowUs), probe = false, probeUntilUs = false,
    probeFailures = failures,
  })
  announce(channel, lane)
end

local function openLane(throttleKey, channel, lane)
  writeLane(throttleKey, lane, {
    state = 'open', reason = false, detail = false, sinceUs = false, untilUs = false, lastProbeRun = false,
    previousProbeRun = false, probe = false, probeUntilUs = false, probeFailures = false, transientRow = false,
    transientRuns = false,
  })
  announce(channel, lane)
end

local function isItsProbe(lane, probe)
  return lane.state == 'probing' and lane.probe ~= nil and lane.probe == tonumber(probe)
end

-- An answer of Sift's own ends a row of failures, and a probe's opens the lane.
local function noteAnswer(throttleKey, channel, lane, probe)
  if isItsProbe(lane, probe) then
    openLane(throttleKey, channel, lane)
  elseif lane.transientRow then
    writeLane(throttleKey, lane, { transientRow = false, transientRuns = false })
  end
end
