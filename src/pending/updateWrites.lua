-- What an update writes, as the fields and values of its run's pending hash. An update is a list: run id, source, its
-- particulars or '', and for each write its path and JSON.
-- @include judge.lua

local FIRST_WRITE, PARTS_OF_A_WRITE = 4, 2

-- Field names by path, made once: a string that is built costs more than one that is looked up.
local function fieldNames(kind)
  return setmetatable({}, {
    __index = function(names, path)
      names[path] = kind .. ':' .. path
      return names[path]
    end,
  })
end
local stampFields, valueFields = fieldNames('stamp'), fieldNames('value')

local function setOf(list)
  local set = {}
  for member in string.gmatch(list, '%S+') do
    set[member] = true
  end
  return set
end

-- All writes are taken, or none where one of them goes by another rule than the order. Returns how many places of
-- `taken` they have filled, or nil.
local function takeAll(update, stamp, firstPaths, taken)
  local count = 0
  for i = FIRST_WRITE, #update, PARTS_OF_A_WRITE do
    local path = update[i]
    if firstPaths[path] then
      return nil
    end
    taken[count + 1], taken[count + 2] = stampFields[path], stamp
    taken[count + 3], taken[count + 4] = valueFields[path], update[i + 1]
    count = count + 4
  end
  return count
end

-- Judges each write by what is known of its field, and puts what is taken into `taken`. Returns how many places of it are
-- filled, and the lists of the reply; or nil where a person has put something there that is no hash: that must cost this
-- run only, not the batch.
local function judgeEach(update, stamp, firstPaths, pendingKey, sentKey, taken)
  local order = readOrder(stamp)
  local count, stale, conflicting, holder, isKnown = 0, {}, {}, '', false
  for i = FIRST_WRITE, #update, PARTS_OF_A_WRITE do
    local path, value = update[i], update[i + 1]
    local rule = firstPaths[path] and 'first' or 'latest'
    local pending = redis.call('HMGET', pendingKey, stampFields[path], valueFields[path])
    local sent = redis.pcall('HMGET', sentKey, 'applied:' .. path, valueFields[path])
    if sent.err then
      return nil
    end
    local verdict, keyHolder = judge(rule, order, value, pending[1], pending[2], sent[1], sent[2])
    if verdict == 'take' then
      taken[count + 1], taken[count + 2] = stampFields[path], stamp
      taken[count + 3], taken[count + 4] = valueFields[path], value
      count = count + 4
    elseif verdict == 'same' then
      isKnown = true
    elseif verdict == 'conflict' then
      conflicting[#conflicting + 1] = path
      holder = keyHolder
    else
      stale[#stale + 1] = path
    end
  end
  return count, stale, conflicting, holder, isKnown
end
