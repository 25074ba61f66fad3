-- reportAnswer: what an answer that applied nothing means for the lane (settle tells of those that did).
--
-- KEYS[1] throttle
--
-- ARGV[1] nowUs    empty: TIME
-- ARGV[2] channel
-- ARGV[3] runId
-- ARGV[4] kind     answered: of Sift's own, says nothing of other runs; permanent: the same, refused for its reason;
--                  transient; throttled; held; unspent: the probe sent nothing
-- ARGV[5] reason
-- ARGV[6] detail   the answer's message, for operators
-- ARGV[7] waitUs   the wait as the server told it; empty: none told
-- ARGV[8] longestHoldUs
-- ARGV[9] epoch    of the permit
-- ARGV[10] probe   of the permit, or empty
-- ARGV[11] outageRow   this many transient failures in a row ...
-- ARGV[12] outageRuns  ... over at least this many runs are an outage
--
-- Returns {lane's state, 1 if a permanent refusal must not be judged: the lane is held for a storm of just those}
-- @include ../redis/time.lua
-- @include lane.lua

local throttleKey = KEYS[1]
local nowUs = readNowUs(ARGV[1])
local channel, runId, kind, reason, detail = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local waitUs, longestHoldUs = tonumber(ARGV[7]), tonumber(ARGV[8])
local epoch, probe = tonumber(ARGV[9]), ARGV[10]
local outageRow, outageRuns = tonumber(ARGV[11]), tonumber(ARGV[12])

-- A permit of an older epoch was given before the last hold: what it met, the probe that opened the lane knew better. But
-- a wait that the server states is its word of now.
local lane = readLane(throttleKey, nowUs)
if waitUs then
  waitUs = math.min(waitUs, longestHoldUs)
end

local function isInList(list, item)
  return string.find(' ' .. list .. ' ', ' ' .. item .. ' ', 1, true) ~= nil
end

-- Only as many runs are remembered as the rule asks for.
local function countTransient()
  local runs, row = lane.transientRuns, (lane.transientRow or 0) + 1
  local _, known = string.gsub(runs, '%S+', '')
  if known < outageRuns and not isInList(runs, runId) then
    runs, known = runs .. ' ' .. runId, known + 1
  end
  writeLane(throttleKey, lane, { transientRow = row, transientRuns = runs })
  return row >= outageRow and known >= outageRuns
end

if kind == 'unspent' then
  if isItsProbe(lane, probe) then
    writeLane(throttleKey, lane, {
      state = 'held', untilUs = noSoonerUs(lane, nowUs), lastProbeRun = lane.previousProbeRun, probe = false, probeUntilUs = false,
    })
    announce(channel, lane)
  end
elseif kind == 'answered' then
  noteAnswer(throttleKey, channel, lane, probe)
elseif kind == 'permanent' then
  if lane.state ~= 'open' and lane.reason == 'storm:' .. reason then
    if isItsProbe(lane, probe) then
      holdLonger(throttleKey, channel, lane, nowUs, lane.reason, detail)
    end
    return { lane.state, 1 }
  end
  noteAnswer(throttleKey, channel, lane, probe)
elseif kind == 'transient' then
  if isItsProbe(lane, probe) then
    holdLonger(throttleKey, channel, lane, nowUs, lane.reason, detail, waitUs)
  elseif lane.state == 'open' and epoch == lane.epoch and countTransient() then
    holdLane(throttleKey, channel, lane, nowUs, 'outage', detail, nowUs + math.max(lane.firstHoldUs, waitUs or 0), runId)
  end
elseif isItsProbe(lane, probe) then
  holdLonger(throttleKey, channel, lane, nowUs, reason, detail, waitUs)
elseif lane.state == 'open' then
  if epoch == lane.epoch or waitUs then
    holdLane(throttleKey, channel, lane, nowUs, reason, detail, nowUs + math.max(waitUs or lane.firstHoldUs, 0), runId)
  end
elseif waitUs and lane.untilUs and nowUs + waitUs > lane.untilUs then
  writeLane(throttleKey, lane, { untilUs = nowUs + waitUs })
end
return { lane.state, 0 }
