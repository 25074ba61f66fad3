-- Names of fields of a hash: those of one kind, for each of these paths.
local function fieldsOf(kind, paths)
  local fields = {}
  for i, path in ipairs(paths) do
    fields[i] = kind .. ':' .. path
  end
  return fields
end
