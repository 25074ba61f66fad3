-- settleWrites: a PATCH was applied. Its writes leave the pending update, where they are still the ones that were
-- sent, and sent learns their order, also where the entry has changed meanwhile: else a late observation would pass for
-- new once the newer one is refused. The lane learns that a run was applied.
--
-- KEYS[1] pending
-- KEYS[2] sent
-- KEYS[3] lettered
-- KEYS[4] throttle
--
-- ARGV[1] nowUs      empty: TIME
-- ARGV[2] channel    where a change of the lane is announced
-- ARGV[3] runId
-- ARGV[4] outcome    JSON, for people: what was sent, and when
-- ARGV[5] sentTtlMs
-- ARGV[6] probe      of the permit, or empty
-- ARGV[..] for each write: path, stamp, rule, JSON of the value
--
-- Returns the state of the lane.
-- @include ../redis/time.lua
-- @include ../throttle/lane.lua
-- @include stamp.lua
-- @include mark.lua
-- @include removeWrites.lua

local pendingKey, sentKey, letteredKey, throttleKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local nowUs = readNowUs(ARGV[1])
local channel, runId, outcome, sentTtlMs, probe = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local FIRST_WRITE_ARG, ARGS_A_WRITE = 7, 4

local sentMark = readMark(sentKey) or 0
for i = FIRST_WRITE_ARG, #ARGV, ARGS_A_WRITE do
  local path, stamp, rule, value = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  removeWrite(pendingKey, path, stamp)
  local order = readOrder(stamp)
  local applied = readOrder(redis.call('HGET', sentKey, 'applied:' .. path))
  if order and (not applied or isNewer(order, applied)) then
    redis.call('HSET', sentKey, 'applied:' .. path, string.format('%.0f %.0f %.0f', order.observedUs, order.tie, order.sequence))
  end
  if order then
    sentMark = raisedMark(sentMark, order.observedUs, order.tie)
  end
  if rule == 'first' then
    redis.call('HSET', sentKey, 'value:' .. path, value)
  end
end
redis.call('HSET', sentKey, 'outcome', outcome, 'newestUs', digits(sentMark))
-- Where the pending update was deleted by hand meanwhile and another one opened, its mark doesn't know of these writes.
local pendingMark = readMark(pendingKey)
if pendingMark and pendingMark < sentMark then
  redis.call('HSET', pendingKey, 'newestUs', digits(sentMark))
end
if not redis.call('ZSCORE', letteredKey, runId) then
  redis.call('PEXPIRE', sentKey, sentTtlMs)
end

local lane = readLane(throttleKey, nowUs)
writeLane(throttleKey, lane, { applied = (lane.applied or 0) + 1, stormReason = false, stormRuns = false, accepted = false })
noteAnswer(throttleKey, channel, lane, probe)

-- Its own success is no sign of life for this run's failures: the mark goes along.
if redis.call('HEXISTS', pendingKey, 'appliedMark') == 1 then
  redis.call('HINCRBY', pendingKey, 'appliedMark', 1)
  redis.call('HDEL', pendingKey, 'failures', 'tries', 'heldMark')
end
return lane.state
