-- Removes the entries of a pending update that are STILL the ones that were sent: the heart of promise 1. Nothing is
-- moved out before a PATCH, so a crash at any point leaves everything in place. Never changes the generation.
local function removeWrite(pendingKey, path, stamp)
  if (redis.call('HGET', pendingKey, 'stamp:' .. path) or '') == stamp then
    redis.call('HDEL', pendingKey, 'stamp:' .. path, 'value:' .. path)
  end
end
