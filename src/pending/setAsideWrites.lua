-- setAsideWrites: these writes are a dead letter now (it was recorded first), and leave the pending update where they
-- are still the ones that were refused: a redrive that came meanwhile has changed the stamp, and stays.
--
-- KEYS[1] pending
-- KEYS[2] sent
--
-- ARGV[1] outcome  JSON, for people: what was refused, when and why
-- ARGV[2] outcomesChannel
-- ARGV[3] announcement  for those who wait for the writes; empty: nobody does
-- ARGV[..] for each write: path, stamp
--
-- Returns nothing.
-- @include removeWrites.lua
-- @include announceOutcome.lua

local pendingKey, sentKey = KEYS[1], KEYS[2]
local outcome, outcomesChannel, announcement = ARGV[1], ARGV[2], ARGV[3]
local FIRST_WRITE_ARG, ARGS_A_WRITE = 4, 2

local paths, stamps = {}, {}
for i = FIRST_WRITE_ARG, #ARGV, ARGS_A_WRITE do
  paths[#paths + 1] = ARGV[i]
  stamps[#stamps + 1] = ARGV[i + 1]
end
removeWrites(pendingKey, paths, stamps)
redis.call('HSET', sentKey, 'outcome', outcome)
announceOutcome(outcomesChannel, announcement)
