-- A permit is the right to send one request, at a time that keeps all processes within one rate.
-- By Redis's clock, slots are at least spacingUs apart, but for those that a hold has voided. While the lane is closed
-- none is given out but the probe's, to one caller at a time.
-- @include lane.lua

local function takeSlot(throttleKey, lane, nowUs)
  local slotUs = math.max(nowUs, lane.nextSlotUs or 0)
  writeLane(throttleKey, lane, { nextSlotUs = slotUs + lane.spacingUs, seenUs = nowUs })
  return slotUs
end

-- Returns {'granted', wait us, epoch, probe or '', reason of the hold that it probes}
-- or {'held', remaining us or -1 (until an operator opens it), reason}.
local function takePermit(throttleKey, lane, nowUs, runId, longestHoldUs, probeTtlUs, otherRunPauseUs)
  if lane.state == 'open' then
    return { 'granted', digits(takeSlot(throttleKey, lane, nowUs) - nowUs), digits(lane.epoch), '', '' }
  end

  if lane.state == 'probing' then
    local probeUntilUs = lane.probeUntilUs or nowUs
    if probeUntilUs > nowUs + longestHoldUs then
      probeUntilUs = nowUs + longestHoldUs
      writeLane(throttleKey, lane, { probeUntilUs = probeUntilUs })
    end
    if nowUs < probeUntilUs then
      return { 'held', digits(probeUntilUs - nowUs), lane.reason }
    end
    -- Its holder is gone: the hold is over since then, and the next probe is due.
    writeLane(throttleKey, lane, {
      state = 'held', untilUs = noSoonerUs(lane, probeUntilUs), probe = false, probeUntilUs = false,
    })
  end

  if not lane.untilUs then
    return { 'held', -1, lane.reason }
  end
  if lane.untilUs > nowUs + longestHoldUs then
    writeLane(throttleKey, lane, { untilUs = nowUs + longestHoldUs })
  end
  if nowUs < lane.untilUs then
    return { 'held', digits(lane.untilUs - nowUs), lane.reason }
  end
  local sameRunUs = lane.untilUs + otherRunPauseUs
  if runId == lane.lastProbeRun and nowUs < sameRunUs then
    return { 'held', digits(sameRunUs - nowUs), lane.reason }
  end

  local slotUs = takeSlot(throttleKey, lane, nowUs)
  local probe = redis.call('HINCRBY', throttleKey, 'probes', 1)
  writeLane(throttleKey, lane, {
    state = 'probing', probe = probe, probeUntilUs = slotUs + probeTtlUs, lastProbeRun = runId,
    previousProbeRun = lane.lastProbeRun,
  })
  return { 'granted', digits(slotUs - nowUs), digits(lane.epoch), digits(probe), lane.reason }
end
