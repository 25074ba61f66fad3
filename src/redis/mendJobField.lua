-- mendJobField: one field of a job's hash that can't be read gets a value that can, and the raw text is kept beside it.
--
-- KEYS[1] job
--
-- ARGV[1] field
-- ARGV[2] raw      what it was when it was looked at
-- ARGV[3] mended   empty: the field goes
-- ARGV[4] keptAs   the field that keeps what was there
--
-- Returns 1, or 0 where it is not what it was any more.

local jobKey = KEYS[1]
local field, raw, mended, keptAs = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('HGET', jobKey, field) ~= raw then
  return 0
end
redis.call('HSET', jobKey, keptAs, raw)
if mended == '' then
  redis.call('HDEL', jobKey, field)
else
  redis.call('HSET', jobKey, field, mended)
end
return 1
