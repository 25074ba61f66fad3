-- releaseRun: the end of a job. Drops the lease. Nothing pending: the pending update is gone. Something left: one new
-- generation, whose job is then added.
-- Guarantee: a release that comes too late (the generation is another one, or another owner holds the lease) changes
-- nothing but its own lease.
--
-- KEYS[1] pending
-- KEYS[2] index
-- KEYS[3] sequence
--
-- ARGV[1] nowUs           empty: TIME
-- ARGV[2] runId
-- ARGV[3] generation
-- ARGV[4] owner
-- ARGV[5] windowUs
-- ARGV[6] longestLeaseUs
-- ARGV[7] updates         how many of the merged updates were handed out to this job
-- ARGV[8] origins         those that were handed out to this job, separated by spaces
--
-- Returns {'gone'}, {'superseded'}, {'leased'} or {'opened', generation, us until the window since the first left-over
--         write is over, the first origin that is left or ''}
-- @include ../redis/time.lua
-- @include generation.lua
-- @include lease.lua
-- @include origins.lua
-- @include stamp.lua

local pendingKey, indexKey, sequenceKey = KEYS[1], KEYS[2], KEYS[3]
local nowUs = readNowUs(ARGV[1])
local runId, generation, owner = ARGV[2], ARGV[3], ARGV[4]
local windowUs, longestLeaseUs, updates, origins = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]

local known = redis.call('HMGET', pendingKey, 'generation', 'leaseOwner', 'leaseUntilUs', 'updates', 'origins')
if othersLeaseUs(pendingKey, known[2], known[3], owner, nowUs, longestLeaseUs) then
  return { 'leased' }
end
if known[1] ~= generation then
  if known[2] == owner then
    redis.call('HDEL', pendingKey, 'leaseOwner', 'leaseUntilUs')
  end
  return { 'superseded' }
end

local isSomethingLeft, firstArrivedUs = false, nowUs
local fields = redis.call('HGETALL', pendingKey)
for i = 1, #fields, 2 do
  local kind = string.match(fields[i], '^(%a+):.')
  if kind == 'stamp' or kind == 'value' then
    isSomethingLeft = true
  end
  if kind == 'stamp' then
    firstArrivedUs = math.min(firstArrivedUs, readHistory(fields[i + 1]) or nowUs)
  end
end

if not isSomethingLeft then
  redis.call('DEL', pendingKey)
  redis.call('ZREM', indexKey, runId)
  return { 'gone' }
end
redis.call('HDEL', pendingKey, 'leaseOwner', 'leaseUntilUs', 'failures', 'tries', 'appliedMark', 'heldMark', 'trouble')
redis.call('HSET', pendingKey, 'updates', digits(math.max(0, (tonumber(known[4]) or 0) - updates)))
local firstOrigin = known[5] and dropOrigins(pendingKey, known[5], origins) or ''
local opened = openGeneration(pendingKey, indexKey, sequenceKey, runId, nowUs)
local waitUs = math.max(0, firstArrivedUs + windowUs - nowUs)
return { 'opened', opened, digits(waitUs), firstOrigin }
