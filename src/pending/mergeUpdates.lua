-- mergeUpdates: merges a batch of updates, of one run or of many, into what is pending.
-- Guarantee: one update's writes are merged together, in the order of the batch; when this returns, each write that it
-- calls accepted is in Redis. Nothing of the batch is merged where it comes too late.
--
-- KEYS[1] index
-- KEYS[2] sequence
-- KEYS[3] clock
-- KEYS[4] pendingPrefix    with a run's id: its pending. Two long keys an update would be half of what is sent, and all
--                          keys of a lane are in one slot of a Redis Cluster
-- KEYS[5] sentPrefix       with a run's id: its sent
--
-- ARGV[1] nowUs           the clock of Redis, where a test hands it in; empty: TIME
-- ARGV[2] notAfterUs      the latest time at which this may still run; empty: any
-- ARGV[3] futureLimitUs   how far ahead of Redis's clock an observation may lie
-- ARGV[4] maxPendingRuns  at this many, no new run is taken; 0: no limit
-- ARGV[5] memoryIsShort   1: no new run is taken
-- ARGV[6] firstPaths      the paths that go by the rule 'first', separated by spaces; all others go by 'latest'
-- ARGV[7] updates         JSON: for each update {run id, source, '' or {observed us or '', tie, origin or '', '1' if
--                         somebody waits for its outcome or ''}, path, JSON of the value, path, ...}; the value 'null'
--                         clears
--
-- Returns {'too_late', now us}
--      or {'merged', now us, arrived us, sequence of the first update, update, update, ...}, each update being
--         the generation that it met: all its writes are taken;
--         or {status, generation or '', 1 if its flush job must be added, stale paths, conflicting paths, holder}
--         status: accepted, stale, conflict, observed_in_future, overloaded, unreadable; lists are separated by spaces;
--         holder: the JSON of the client key that holds the place, where there is a conflict.
-- @include ../redis/time.lua
-- @include updateWrites.lua
-- @include mark.lua
-- @include generation.lua
-- @include origins.lua

local indexKey, sequenceKey, clockKey, pendingPrefix, sentPrefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local nowUs = readNowUs(ARGV[1])
local notAfterUs = tonumber(ARGV[2])
local futureLimitUs = tonumber(ARGV[3])
local maxPendingRuns = tonumber(ARGV[4])
local memoryIsShort = ARGV[5] == '1'
local firstPaths = setOf(ARGV[6])
local updates = cjson.decode(ARGV[7])

if notAfterUs and nowUs > notAfterUs then
  return { 'too_late', digits(nowUs) }
end

-- It never goes back: a clock set back must not make what arrives from now on look older than what is there.
local arrivedUs = math.max(nowUs, tonumber(redis.call('GET', clockKey) or '0'))
redis.call('SET', clockKey, digits(arrivedUs))

local firstSequence = redis.call('INCRBY', sequenceKey, #updates) - #updates + 1
local arrivedText = digits(arrivedUs)
local stampEnd = ' ' .. arrivedText .. ' 0 '

local NONE = {}

-- Fields and values of the update at hand. One list for all of them: its places are made once, and what is left in those
-- behind the last is never read.
local taken = {}

-- Runs of a batch have often had equally many updates: a number that is written costs more than one that is looked up.
local oneMore = setmetatable({}, {
  __index = function(texts, count)
    texts[count] = digits((tonumber(count) or 0) + 1)
    return texts[count]
  end,
})

local function refused(status)
  return { status, '', 0, '', '', '' }
end

local function mergeUpdate(update, sequence)
  local runId, source, particulars = update[1], update[2], update[3]
  local observedText, tie, origin, isAwaited = '', '0', '', false
  if particulars ~= '' then
    observedText, tie, origin, isAwaited = particulars[1], particulars[2], particulars[3], particulars[4] == '1'
  end
  local pendingKey = pendingPrefix .. runId
  local observedUs = arrivedUs
  if observedText == '' then
    observedText = arrivedText
  else
    observedUs = tonumber(observedText)
    if observedUs > nowUs + futureLimitUs then
      return refused('observed_in_future')
    end
  end
  -- As makeStamp would write it; a whole number as such costs less than as a double.
  local stamp = observedText .. ' ' .. tie .. string.format(' %d', sequence) .. stampEnd .. source

  local known = redis.pcall('HMGET', pendingKey, 'generation', 'newestUs', 'updates')
  if known.err then
    return refused('unreadable')
  end
  local generation, mark = known[1], tonumber(known[2] or '')
  if not generation then
    local sentKey = sentPrefix .. runId
    local sent = redis.pcall('HMGET', sentKey, 'newestUs')
    if sent.err then
      return refused('unreadable')
    end
    -- Where a person has taken the generation out of what is pending, the mark of sent says nothing of what is there.
    if mark or not known[3] then
      mark = math.max(mark or 0, tonumber(sent[1] or '') or 0)
    end
  end

  local count, stale, conflicting, holder, isKnown = nil, NONE, NONE, '', false
  if mark and observedUs >= mark then
    count = takeAll(update, stamp, firstPaths, taken)
  end
  if not count then
    local sentKey = sentPrefix .. runId
    count, stale, conflicting, holder, isKnown = judgeEach(update, stamp, firstPaths, pendingKey, sentKey, taken)
    if not count then
      return refused('unreadable')
    end
  end

  local addJob, isAnyTaken = 0, count > 0
  if isAnyTaken then
    if not generation then
      if memoryIsShort or (maxPendingRuns > 0 and redis.call('ZCARD', indexKey) >= maxPendingRuns) then
        return refused('overloaded')
      end
      generation = openGeneration(pendingKey, indexKey, sequenceKey, runId, nowUs)
      addJob = 1
    end
    if mark and (observedUs > mark or tie ~= '0') then
      taken[count + 1] = 'newestUs'
      taken[count + 2] = tie == '0' and observedText or digits(raisedMark(mark, observedUs, tonumber(tie)))
      count = count + 2
    end
    if origin ~= '' then
      addOrigin(pendingKey, origin)
    end
  end
  if generation then
    if isAwaited then
      taken[count + 1], taken[count + 2] = 'awaited', '1'
      count = count + 2
    end
    taken[count + 1], taken[count + 2] = 'updates', oneMore[known[3] or '0']
    redis.call('HSET', pendingKey, unpack(taken, 1, count + 2))
  end

  if isAnyTaken and addJob == 0 and #stale == 0 and #conflicting == 0 then
    return generation
  end
  local status = 'stale'
  if isAnyTaken or isKnown then
    status = 'accepted'
  elseif #conflicting > 0 then
    status = 'conflict'
  end
  return { status, generation or '', addJob, table.concat(stale, ' '), table.concat(conflicting, ' '), holder }
end

local REPLY_HEAD = 4
local reply = { 'merged', digits(nowUs), arrivedText, digits(firstSequence) }
for i = 1, #updates do
  reply[REPLY_HEAD + i] = mergeUpdate(updates[i], firstSequence + i - 1)
end
return reply
