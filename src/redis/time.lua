-- Time as the scripts know it: microseconds since 1970, exact in a double until the year 2255.

-- The clock of Redis, or the time that a test hands in.
local function readNowUs(given)
  if given ~= '' then
    return tonumber(given)
  end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- tostring() cuts a number to 14 digits, and a microsecond has 16.
local function digits(number)
  return string.format('%.0f', number)
end
