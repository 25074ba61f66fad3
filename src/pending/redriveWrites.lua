-- redriveWrites: merges writes that were set aside as a dead letter, with the order that they had, so that they never
-- overwrite anything newer. One that is still pending (its letter came before it was set aside) has its redrives
-- raised, so that the late set aside does not remove it. One that another redrive of the same letter has raised
-- already stays as it is: raised again, a refusal that is on its way would become two letters.
--
-- KEYS[1] index
-- KEYS[2] sequence
-- KEYS[3] pending
-- KEYS[4] sent
--
-- ARGV[1] nowUs   empty: TIME
-- ARGV[2] runId
-- ARGV[..] for each write: path, rule, JSON of the value, the stamp it had
--
-- Returns {generation or '', 1 if its flush job must be added, accepted paths, stale paths, conflicting paths, holder},
-- lists separated by spaces.
-- @include ../redis/time.lua
-- @include judge.lua
-- @include mark.lua
-- @include generation.lua

local indexKey, sequenceKey, pendingKey, sentKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local nowUs = readNowUs(ARGV[1])
local runId = ARGV[2]
local FIRST_WRITE_ARG, ARGS_A_WRITE = 3, 4

local generation = redis.call('HGET', pendingKey, 'generation')
local mark = readMark(pendingKey)
-- Where a person has taken the generation out of what is pending, the mark of sent says nothing of what is there.
if not generation and (mark or redis.call('EXISTS', pendingKey) == 0) then
  mark = math.max(mark or 0, readMark(sentKey) or 0)
end

local accepted, stale, conflicting, holder, taken = {}, {}, {}, '', {}
for i = FIRST_WRITE_ARG, #ARGV, ARGS_A_WRITE do
  local path, rule, value, stamp = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local order = readOrder(stamp)
  local _, redrives = readHistory(stamp)
  local pending = redis.call('HMGET', pendingKey, 'stamp:' .. path, 'value:' .. path)
  local sent = redis.call('HMGET', sentKey, 'applied:' .. path, 'value:' .. path)
  local verdict, keyHolder = judge(rule, order, value, pending[1], pending[2], sent[1], sent[2])
  local _, pendingRedrives = readHistory(pending[1])
  local isRaised = verdict == 'again' and (pendingRedrives or 0) > redrives
  if verdict == 'same' or (isRaised and pending[2] == value) then
    accepted[#accepted + 1] = path
  elseif verdict == 'take' or verdict == 'again' then
    if isRaised then
      redrives = pendingRedrives
    end
    local source = string.match(stamp, '^%S+ %S+ %S+ %S+ %S+ (.*)$')
    taken[#taken + 1] = 'stamp:' .. path
    taken[#taken + 1] = makeStamp(order, nowUs, redrives + 1, source)
    taken[#taken + 1] = 'value:' .. path
    taken[#taken + 1] = value
    accepted[#accepted + 1] = path
    mark = mark and raisedMark(mark, order.observedUs, order.tie)
  elseif verdict == 'conflict' then
    conflicting[#conflicting + 1] = path
    holder = keyHolder
  else
    stale[#stale + 1] = path
  end
end

local addJob = 0
if #taken > 0 then
  if not generation then
    generation = openGeneration(pendingKey, indexKey, sequenceKey, runId, nowUs)
    addJob = 1
  end
  if mark then
    taken[#taken + 1] = 'newestUs'
    taken[#taken + 1] = digits(mark)
  end
  redis.call('HSET', pendingKey, unpack(taken))
  redis.call('HINCRBY', pendingKey, 'updates', 1)
end
return {
  generation or '', addJob, table.concat(accepted, ' '), table.concat(stale, ' '), table.concat(conflicting, ' '), holder,
}
