-- mergeUpdates: merges a batch of updates, of one run or of many, into what is pending.
-- Guarantee: one update's writes are merged together, in the order of the batch; when this returns, each write that it
-- calls accepted is in Redis. Nothing of the batch is merged where it comes too late.
--
-- KEYS[1] index
-- KEYS[2] sequence
-- KEYS[3] clock
-- KEYS[..] for each update: its run's pending, its run's sent
--
-- ARGV[1] nowUs           the clock of Redis, where a test hands it in; empty: TIME
-- ARGV[2] notAfterUs      the latest time at which this may still run; empty: any
-- ARGV[3] futureLimitUs   how far ahead of Redis's clock an observation may lie
-- ARGV[4] maxPendingRuns  at this many, no new run is taken; 0: no limit
-- ARGV[5] memoryIsShort   1: no new run is taken
-- ARGV[..] for each update: run id, observed us or empty, tie, source, origin or empty,
--          1 if somebody waits for its outcome, number of writes;
--          for each of its writes: path, rule ('latest' or 'first'), JSON of the value ('null' clears)
--
-- Returns {'too_late', now us}
--      or {'merged', now us, how far the arrival clock is ahead of it in us, update, update, ...}, each update being
--         {status, generation or '', 1 if its flush job must be added, stale paths, conflicting paths, stamp, holder}
--         status: accepted, stale, conflict, observed_in_future, overloaded, unreadable; lists are separated by spaces;
--         holder: the JSON of the client key that holds the place, where there is a conflict.
-- @include ../redis/time.lua
-- @include judge.lua
-- @include generation.lua
-- @include origins.lua

local indexKey, sequenceKey, clockKey = KEYS[1], KEYS[2], KEYS[3]
local nowUs = readNowUs(ARGV[1])
local notAfterUs = tonumber(ARGV[2])
local futureLimitUs = tonumber(ARGV[3])
local maxPendingRuns = tonumber(ARGV[4])
local memoryIsShort = ARGV[5] == '1'
local FIRST_UPDATE_KEY, FIRST_UPDATE_ARG = 4, 6

if notAfterUs and nowUs > notAfterUs then
  return { 'too_late', digits(nowUs) }
end

-- It never goes back: a clock set back must not make what arrives from now on look older than what is there.
local arrivedUs = math.max(nowUs, tonumber(redis.call('GET', clockKey) or '0'))
redis.call('SET', clockKey, digits(arrivedUs))

local argument = FIRST_UPDATE_ARG
local function nextArgument()
  argument = argument + 1
  return ARGV[argument - 1]
end

local function readUpdate()
  local update = { runId = nextArgument(), observedUs = tonumber(nextArgument()), tie = tonumber(nextArgument()) }
  update.source = nextArgument()
  update.origin = nextArgument()
  update.isAwaited = nextArgument() == '1'
  update.writes = {}
  for i = 1, tonumber(nextArgument()) do
    update.writes[i] = { path = nextArgument(), rule = nextArgument(), value = nextArgument() }
  end
  return update
end

-- What is known of the update's fields, two values a field, and the generation in front; or nil where a person has put
-- something there that is no hash: that must cost this run only, not the batch.
local function readKnown(pendingKey, sentKey, writes)
  local pendingFields, sentFields = { 'generation' }, {}
  for i, write in ipairs(writes) do
    pendingFields[2 * i] = 'stamp:' .. write.path
    pendingFields[2 * i + 1] = 'value:' .. write.path
    sentFields[2 * i - 1] = 'applied:' .. write.path
    sentFields[2 * i] = 'value:' .. write.path
  end
  local pending = redis.pcall('HMGET', pendingKey, unpack(pendingFields))
  local sent = redis.pcall('HMGET', sentKey, unpack(sentFields))
  if pending.err or sent.err then
    return nil
  end
  return pending, sent
end

local function mergeUpdate(update, pendingKey, sentKey)
  if update.observedUs and update.observedUs > nowUs + futureLimitUs then
    return { 'observed_in_future', '', 0, '', '', '', '' }
  end
  local pending, sent = readKnown(pendingKey, sentKey, update.writes)
  if not pending then
    return { 'unreadable', '', 0, '', '', '', '' }
  end
  local generation = pending[1]
  local order = {
    observedUs = update.observedUs or arrivedUs,
    tie = update.tie,
    sequence = redis.call('INCR', sequenceKey),
  }
  local stamp = makeStamp(order, arrivedUs, 0, update.source)

  local taken, stale, conflicting, holder, unchanged = {}, {}, {}, '', false
  for i, write in ipairs(update.writes) do
    local verdict, keyHolder =
      judge(write.rule, order, write.value, pending[2 * i], pending[2 * i + 1], sent[2 * i - 1], sent[2 * i])
    if verdict == 'take' then
      taken[#taken + 1] = 'stamp:' .. write.path
      taken[#taken + 1] = stamp
      taken[#taken + 1] = 'value:' .. write.path
      taken[#taken + 1] = write.value
    elseif verdict == 'same' then
      unchanged = true
    elseif verdict == 'conflict' then
      conflicting[#conflicting + 1] = write.path
      holder = keyHolder
    else
      stale[#stale + 1] = write.path
    end
  end

  local addJob = 0
  if #taken > 0 then
    if not generation then
      local isFull = maxPendingRuns > 0 and redis.call('ZCARD', indexKey) >= maxPendingRuns
      if isFull or memoryIsShort then
        return { 'overloaded', '', 0, '', '', '', '' }
      end
      generation = openGeneration(pendingKey, indexKey, sequenceKey, update.runId, nowUs)
      addJob = 1
    end
    redis.call('HSET', pendingKey, unpack(taken))
    if update.origin ~= '' then
      addOrigin(pendingKey, update.origin)
    end
  end
  if generation then
    -- A count that was edited into no number must not end the batch in its middle.
    redis.pcall('HINCRBY', pendingKey, 'updates', 1)
    if update.isAwaited then
      redis.call('HSET', pendingKey, 'awaited', '1')
    end
  end

  local status = 'stale'
  if #taken > 0 or unchanged then
    status = 'accepted'
  elseif #conflicting > 0 then
    status = 'conflict'
  end
  return {
    status, generation or '', addJob, table.concat(stale, ' '), table.concat(conflicting, ' '), stamp, holder,
  }
end

local reply = { 'merged', digits(nowUs), digits(arrivedUs - nowUs) }
local key = FIRST_UPDATE_KEY
while argument <= #ARGV do
  reply[#reply + 1] = mergeUpdate(readUpdate(), KEYS[key], KEYS[key + 1])
  key = key + 2
end
return reply
