-- A stamp is the bookkeeping of one pending write, kept beside its value:
--   <observed us> <tie> <sequence> <arrived us> <redrives> <source, maybe empty, to the end>
-- Its first three numbers are the write's order. No two writes of a run ever have the same stamp, so "is this entry
-- STILL the one that was sent" is a comparison of stamps.

local function makeStamp(order, arrivedUs, redrives, source)
  return string.format('%.0f %.0f %.0f %.0f %.0f ', order.observedUs, order.tie, order.sequence, arrivedUs, redrives)
    .. source
end

-- The order in a stamp, or in an entry of sent; nil where a person has edited it into something else.
local function readOrder(text)
  local observedUs, tie, sequence = string.match(text or '', '^(%-?%d+) (%d+) (%d+)')
  if not observedUs then
    return nil
  end
  return { observedUs = tonumber(observedUs), tie = tonumber(tie), sequence = tonumber(sequence) }
end

-- Arrival time and number of redrives of a stamp; nil where it can't be read.
local function readHistory(stamp)
  local arrivedUs, redrives = string.match(stamp or '', '^%-?%d+ %d+ %d+ (%d+) (%d+) ')
  return tonumber(arrivedUs), tonumber(redrives)
end

local function isNewer(order, than)
  if order.observedUs ~= than.observedUs then
    return order.observedUs > than.observedUs
  end
  if order.tie ~= than.tie then
    return order.tie > than.tie
  end
  return order.sequence > than.sequence
end

local function isSame(order, as)
  return order.observedUs == as.observedUs and order.tie == as.tie and order.sequence == as.sequence
end
