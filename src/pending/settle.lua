-- A PATCH was applied. Its writes leave the pending update, where they are still the ones that were sent, and sent learns
-- their order, also where the entry has changed meanwhile: else a late observation would pass for new once the newer one
-- is refused. The lane learns that a run was applied.
-- @include ../throttle/lane.lua
-- @include stamp.lua
-- @include mark.lua
-- @include removeWrites.lua

-- The writes of a PATCH, as four lists, from arguments that come as path, stamp, rule, JSON of the value.
local function readApplied(arguments, first)
  local paths, stamps, rules, values = {}, {}, {}, {}
  for i = first, #arguments, 4 do
    local count = #paths + 1
    paths[count], stamps[count], rules[count], values[count] =
      arguments[i], arguments[i + 1], arguments[i + 2], arguments[i + 3]
  end
  return { paths = paths, stamps = stamps, rules = rules, values = values }
end

-- What sent learns, as fields and values; it never goes back to an older order.
local function learned(sentKey, applied)
  local known = redis.call('HMGET', sentKey, 'newestUs', unpack(fieldsOf('applied', applied.paths)))
  local mark, fields = tonumber(known[1] or '') or 0, {}
  for i, path in ipairs(applied.paths) do
    local order, before = readOrder(applied.stamps[i]), readOrder(known[i + 1])
    if order then
      mark = raisedMark(mark, order.observedUs, order.tie)
    end
    if order and (not before or isNewer(order, before)) then
      fields[#fields + 1] = 'applied:' .. path
      fields[#fields + 1] = string.match(applied.stamps[i], '^%S+ %S+ %S+')
    end
    if applied.rules[i] == 'first' then
      fields[#fields + 1] = 'value:' .. path
      fields[#fields + 1] = applied.values[i]
    end
  end
  return fields, mark
end

local function settle(pendingKey, sentKey, letteredKey, runId, outcome, sentTtlMs, applied)
  removeWrites(pendingKey, applied.paths, applied.stamps)
  local fields, mark = learned(sentKey, applied)
  redis.call('HSET', sentKey, 'outcome', outcome, 'newestUs', digits(mark), unpack(fields))
  if not redis.call('ZSCORE', letteredKey, runId) then
    redis.call('PEXPIRE', sentKey, sentTtlMs)
  end

  local known = redis.call('HMGET', pendingKey, 'newestUs', 'appliedMark')
  -- Where the pending update was deleted by hand meanwhile and another one opened, its mark knows nothing of these.
  if known[1] and (tonumber(known[1]) or mark) < mark then
    redis.call('HSET', pendingKey, 'newestUs', digits(mark))
  end
  -- Its own success is no sign of life for this run's failures: the mark goes along.
  if known[2] then
    redis.call('HINCRBY', pendingKey, 'appliedMark', 1)
    redis.call('HDEL', pendingKey, 'failures', 'tries', 'heldMark')
  end
end

-- Tells the lane of it, and of how many updates end with this PATCH: of one that was sent in parts, all with the last.
local function noteApplied(throttleKey, channel, nowUs, probe, updates)
  local lane = readLane(throttleKey, nowUs)
  writeLane(throttleKey, lane, {
    applied = (lane.applied or 0) + 1, appliedUpdates = (lane.appliedUpdates or 0) + updates, stormReason = false,
    stormRuns = false,
  })
  noteAnswer(throttleKey, channel, lane, probe)
  return lane.state
end
