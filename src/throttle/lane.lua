-- The state of a lane, and the only code that changes it.
--   open     every run may send, evenly spaced
--   held     nobody sends until untilUs (none: until an operator opens it)
--   probing  the hold is over, one caller has the probe's permit until probeUntilUs; what comes of it opens or holds
-- Every hold is a new epoch, and voids the slots that were given out in the one before.
-- @include ../redis/time.lua

local TEXTS = {
  reason = true, detail = true, lastProbeRun = true, previousProbeRun = true, transientRuns = true, stormReason = true,
  stormRuns = true, accepted = true,
}
local DEFAULTS = { epoch = 0, firstHoldUs = 1000000, longestProbePauseUs = 60000000 }

local function readField(name, stored)
  if TEXTS[name] then
    return stored or ''
  end
  return tonumber(stored or '') or DEFAULTS[name]
end

-- Reads the lane: what every open lane is asked for at once, and the rest when it is asked for, since most lanes are
-- open and undisturbed. Where Redis's clock was set back since the last look, every stored time is moved back with it:
-- an hour's step must not close the lane for an hour, nor hand out a slot twice. The look is noted while the lane is not
-- open; while it is, whoever writes a time does so beside it.
local function readLane(throttleKey, nowUs)
  local known = redis.call('HMGET', throttleKey, 'state', 'seenUs', 'epoch', 'nextSlotUs', 'spacingUs', 'applied',
    'appliedUpdates')
  local lane = {
    state = known[1] or 'open', epoch = readField('epoch', known[3]), nextSlotUs = tonumber(known[4] or ''),
    spacingUs = tonumber(known[5] or ''), applied = tonumber(known[6] or ''),
    appliedUpdates = tonumber(known[7] or ''),
  }
  setmetatable(lane, {
    __index = function(_, name)
      return readField(name, redis.call('HGET', throttleKey, name))
    end,
  })
  local seenUs = tonumber(known[2] or '')
  local isSetBack = seenUs and seenUs > nowUs
  if isSetBack then
    for _, name in ipairs({ 'nextSlotUs', 'sinceUs', 'untilUs', 'probeUntilUs', 'acceptedUntilUs' }) do
      local storedUs = lane[name]
      if storedUs then
        lane[name] = storedUs - (seenUs - nowUs)
        redis.call('HSET', throttleKey, name, digits(lane[name]))
      end
    end
  end
  if isSetBack or lane.state ~= 'open' then
    redis.call('HSET', throttleKey, 'seenUs', digits(nowUs))
  end
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
    probeUntilUs = false, probeFailures = 0, transientRow = false, transientRuns = false, seenUs = nowUs,
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
