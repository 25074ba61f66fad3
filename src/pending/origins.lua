-- Where the updates of a pending update came from, for tracing: words that a producer hands in where it traces, and
-- nothing here understands. The newest few stay, oldest first, so that a hot run does not grow without bound.
local MAX_ORIGINS = 20

local function addOrigin(pendingKey, origin)
  local origins = redis.call('HGET', pendingKey, 'origins')
  if not origins then
    redis.call('HSET', pendingKey, 'origins', origin)
    return
  end
  local _, spaces = string.gsub(origins, ' ', '')
  if spaces + 1 >= MAX_ORIGINS then
    origins = string.gsub(origins, '^%S* ?', '', 1)
  end
  redis.call('HSET', pendingKey, 'origins', origins .. ' ' .. origin)
end

-- Those that were handed out go; tells the first that is left, or ''.
local function dropOrigins(pendingKey, origins, handedOut)
  local isHandedOut, left = {}, {}
  for origin in string.gmatch(handedOut, '%S+') do
    isHandedOut[origin] = true
  end
  for origin in string.gmatch(origins, '%S+') do
    if not isHandedOut[origin] then
      left[#left + 1] = origin
    end
  end
  if #left > 0 then
    redis.call('HSET', pendingKey, 'origins', table.concat(left, ' '))
  else
    redis.call('HDEL', pendingKey, 'origins')
  end
  return left[1] or ''
end
