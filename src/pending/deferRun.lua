-- deferRun: a try has ended and the job will come again. Counts the failure, and ends the lease: now, or after the
-- grace where Sift may still be working on the request. Opens no generation.
--
-- KEYS[1] pending
-- KEYS[2] throttle
--
-- ARGV[1] nowUs       empty: TIME
-- ARGV[2] generation
-- ARGV[3] owner
-- ARGV[4] failure     none; uncounted: it counts for the backoff only; counted: also towards the attempts, if another
--                     run was applied since the last one; held: the same, but judged at the next claim
-- ARGV[5] graceUs     how long the run still rests; 0: not at all
-- ARGV[6] trouble     JSON of what went wrong, kept until the run is released; empty: nothing
-- ARGV[7] triedUs     when what was sent was claimed, kept as long: what has arrived since is untried; empty: nothing was
--
-- Returns {'deferred', failures, tries} or {'superseded'}
-- @include ../redis/time.lua

local pendingKey, throttleKey = KEYS[1], KEYS[2]
local nowUs = readNowUs(ARGV[1])
local generation, owner, failure, graceUs, trouble = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local triedUs = ARGV[7]

local known = redis.call('HMGET', pendingKey, 'generation', 'leaseOwner', 'appliedMark')
if known[2] == owner then
  if graceUs > 0 then
    redis.call('HSET', pendingKey, 'leaseUntilUs', digits(nowUs + graceUs))
  else
    redis.call('HDEL', pendingKey, 'leaseOwner', 'leaseUntilUs')
  end
end
if known[1] ~= generation then
  return { 'superseded' }
end

if trouble ~= '' then
  redis.call('HSET', pendingKey, 'trouble', trouble)
end
if triedUs ~= '' then
  redis.call('HSET', pendingKey, 'triedUs', triedUs)
end
local applied = redis.call('HGET', throttleKey, 'applied') or '0'
if failure == 'held' then
  redis.call('HSET', pendingKey, 'heldMark', applied)
elseif failure ~= 'none' then
  redis.call('HINCRBY', pendingKey, 'tries', 1)
  if failure == 'counted' and known[3] ~= applied then
    redis.call('HINCRBY', pendingKey, 'failures', 1)
    redis.call('HSET', pendingKey, 'appliedMark', applied)
  end
end
local counts = redis.call('HMGET', pendingKey, 'failures', 'tries')
return { 'deferred', tonumber(counts[1] or '0'), tonumber(counts[2] or '0') }
