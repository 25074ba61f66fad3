-- The order of a merge, for one write of one field. What is known of the field: its pending entry (stamp, value) and
-- what was last applied (order, and the value where the rule is 'first').
-- @include stamp.lua

-- Rule 'latest': the newest order wins, against what is pending and against what was applied.
-- Rule 'first' (a client key can be set once): the first to ARRIVE stays, whatever its order.
-- Returns 'take'; 'again' (this very write is pending: a redrive that came early); 'same' (a client key that is
-- pending or applied already: nothing to do); 'stale'; or 'conflict' and the value that holds the place.
local function judge(rule, order, value, pendingStamp, pendingValue, appliedOrder, appliedValue)
  local pendingOrder = readOrder(pendingStamp)
  if pendingOrder and isSame(order, pendingOrder) then
    return 'again'
  end
  if rule == 'first' then
    local holder = pendingValue or appliedValue
    if not holder then
      return 'take'
    elseif holder == value then
      return 'same'
    end
    return 'conflict', holder
  end
  if pendingOrder and not isNewer(order, pendingOrder) then
    return 'stale'
  end
  appliedOrder = readOrder(appliedOrder)
  if appliedOrder and not isNewer(order, appliedOrder) then
    return 'stale'
  end
  return 'take'
end
