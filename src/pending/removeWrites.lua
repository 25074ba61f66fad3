-- Removes the entries of a pending update that are STILL the ones that were sent: the heart of promise 1. Nothing is
-- moved out before a PATCH, so a crash at any point leaves everything in place. Never changes the generation.
-- @include fields.lua

local function removeWrites(pendingKey, paths, stamps)
  if #paths == 0 then
    return
  end
  local found = redis.call('HMGET', pendingKey, unpack(fieldsOf('stamp', paths)))
  local gone = {}
  for i, path in ipairs(paths) do
    if (found[i] or '') == stamps[i] then
      gone[#gone + 1] = 'stamp:' .. path
      gone[#gone + 1] = 'value:' .. path
    end
  end
  if #gone > 0 then
    redis.call('HDEL', pendingKey, unpack(gone))
  end
end
