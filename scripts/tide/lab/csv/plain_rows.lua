--- The rows of a table that are as most rows are (no quotes, nothing missing, each field of its column's
-- kind), several times faster than one by one. What is not so plain stops it, and reader.lua decides.

local csv_text = require "tide.lab.csv.text"

local M = {}

local MOST = 30 -- columns; Lua's patterns have at most 32 captures

-- A pattern for a whole row of n fields, without quotes.
local function row_pattern(separator, n)
  local field = "([^" .. separator .. '"\r\n]*)'
  return "^" .. (field .. separator):rep(n - 1) .. field .. "\r?\n()"
end

-- The number that a field is, in a table whose decimal sign is a point or not known yet.
local function number_of(field, decimal)
  if not field:find("^[+-]?%.?%d[%d.eE+-]*$") then return nil end
  local v = tonumber(field)
  if v == 0 and field:byte() == 45 then return -0.0 end
  if not decimal and field:find(".", 1, true) then return nil end
  return v
end

-- Is a field surely a bare string? `known` remembers those that are.
local function is_string(field, known)
  if known[field] then return true end
  if not field:find("^[%a_\128-\255]") or field:find("[ \t]$") or csv_text.to_number(field)
    or csv_text.is_missing(field) then
    return false
  end
  known[field] = true
  return true
end

--- A function take(from, line) for a reader whose columns all have their kinds: it reads rows from a place on
-- until one is not plain, and returns the place and the line of that one. nil where it would not help.
function M.taker(reader)
  local n, text = #reader.names, reader.text
  if n > MOST or reader.separator == " " or reader.decimal == "," then return nil end
  local pattern, columns, is_number, known = row_pattern(reader.separator, n), {}, {}, {}
  for i, name in ipairs(reader.names) do
    if not reader.kinds[i] then return nil end
    columns[i], is_number[i] = reader.columns[name], reader.kinds[i] == "number"
  end
  return function(from, line)
    local decimal = reader.decimal
    while true do
      local fields = {text:match(pattern, from)}
      if #fields == 0 then return from, line end
      local row = reader.rows + 1
      for i = 1, n do
        local value = fields[i]
        if is_number[i] then
          value = number_of(value, decimal)
        elseif not is_string(value, known) then
          value = nil
        end
        if value == nil then return from, line end
        local column = columns[i]
        column[row] = value
      end
      reader.rows = row
      from, line = fields[n + 1], line + 1
    end
  end
end

return M
