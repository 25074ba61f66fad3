-- forgetSent: the last dead letter of this run is gone: what was sent has its TTL back. Does nothing where a letter
-- was recorded since the caller looked.
--
-- KEYS[1] sent
-- KEYS[2] lettered
--
-- ARGV[1] runId
-- ARGV[2] letteredAtMs  as the caller saw it
-- ARGV[3] sentTtlMs
--
-- Returns 1 if it did.

local sentKey, letteredKey = KEYS[1], KEYS[2]
local runId, letteredAtMs, sentTtlMs = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local score = redis.call('ZSCORE', letteredKey, runId)
if not score or tonumber(score) ~= letteredAtMs then
  return 0
end
redis.call('ZREM', letteredKey, runId)
redis.call('PEXPIRE', sentKey, sentTtlMs)
return 1
