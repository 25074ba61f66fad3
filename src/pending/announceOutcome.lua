-- Tells what became of writes to those who wait for it. Nobody does, as a rule: then nothing is published, and the
-- caller has not sent the body of Sift's answer either.
local function announceOutcome(channel, announcement)
  if announcement ~= '' then
    redis.call('PUBLISH', channel, announcement)
  end
end
