--- The text of a table, whoever wrote it: numbers, fields, records, separators.
--
-- RFC 4180 (quotes, doubled quotes, line breaks inside quotes, CRLF) and what pandas, NumPy, MATLAB, R, Julia
-- and gnuplot write beyond it: other separators, decimal commas, blanks around fields, NaN in any spelling,
-- missing values.

local M = {}

local nan = 0 / 0
local special = {nan = nan, ["+nan"] = nan, ["-nan"] = nan, inf = math.huge, ["+inf"] = math.huge,
  ["-inf"] = -math.huge,
  infinity = math.huge, ["+infinity"] = math.huge, ["-infinity"] = -math.huge}
local missing = {[""] = true, ["na"] = true, ["n/a"] = true, ["<na>"] = true, ["missing"] = true,
  ["null"] = true}

--- Does this bare text stand for a value that is not there? (In a column of numbers it reads as nan.)
function M.is_missing(text) return missing[text] or #text < 8 and missing[text:lower()] or false end

--- The number that a bare text is, or nil. Lua's tonumber also takes hexadecimal and blanks; a strict reader
-- must not.
function M.to_number(text)
  if text:find("^[+-]?%.?%d[%d.eE+-]*$") then
    local v = tonumber(text)
    if v == 0 and text:byte() == 45 then return -0.0 end
    return v
  end
  return #text < 10 and special[text:lower()] or nil
end

--- A decimal comma as a point: "1,5" -> "1.5"; nil when it is none.
function M.decimal_comma(text)
  local whole, rest = text:match("^([+-]?%d*),(%d+[eE]?[+-]?%d*)$")
  return whole and whole .. "." .. rest
end

-- ---- fields ----

local function trim(text) return text:match("^[ \t]*(.-)[ \t]*$") end

-- Fields of a line without quotes.
local function split_bare(line, separator)
  local fields = {}
  if separator == " " then
    for field in line:gmatch("[^ \t]+") do fields[#fields + 1] = field end
    return fields
  end
  local n = 0
  for field in (line .. separator):gmatch("([^" .. separator .. "]*)" .. separator) do
    n = n + 1
    local first, last = field:byte(1), field:byte(-1)
    fields[n] = (first == 32 or last == 32 or first == 9 or last == 9) and trim(field) or field
  end
  return fields
end

-- The quoted field whose first quote is at `from`: its text and the place behind it.
local function take_quoted(text, from)
  local parts = {}
  from = from + 1
  repeat
    local closing = text:find('"', from, true)
    if not closing then return nil, "a quoted field does not end" end
    local doubled = text:byte(closing + 1) == 34
    parts[#parts + 1] = text:sub(from, doubled and closing or closing - 1)
    from = closing + (doubled and 2 or 1)
  until not doubled
  return table.concat(parts), from
end

-- The field at `at`, quoted or bare: its text, whether it was quoted, the place behind it.
local function take_field(text, at, stop)
  if text:byte(at) == 34 then
    local field, after = take_quoted(text, at)
    return field, field and true or after, after
  end
  local after = text:find(stop, at) or #text + 1
  local field = trim(text:sub(at, after - 1))
  if field:find('"', 1, true) then return nil, ("a quote inside the bare field %q"):format(field) end
  return field, false, after
end

-- Fields of a record with quotes, which may go over several lines: fields, set of the quoted ones, the place
-- where the record ends.
local function split_quoted(text, from, separator)
  local fields, quoted = {}, {}
  local blanks = separator == "\t" and "^ *()" or "^[ \t]*()"
  local stop = separator == " " and "[ \t\r\n]" or "[" .. separator .. "\r\n]"
  while true do
    local field, is_quoted, after = take_field(text, text:match(blanks, from), stop)
    if not field then return nil, is_quoted end
    fields[#fields + 1] = field
    if is_quoted then quoted[#fields] = true end
    local behind = text:match(blanks, after)
    local byte = text:sub(behind, behind)
    if byte == "" or byte == "\n" or byte == "\r" then return fields, quoted, behind end
    if separator == " " and behind > after then
      from = behind
    elseif byte == separator then
      from = behind + 1
    else
      return nil, ("unexpected %q after a quoted field"):format(byte)
    end
  end
end

local none = {}

--- The record that begins at `from`: fields, set of the quoted ones, place of the next record, line breaks
-- passed; nil and a message when its quotes are wrong.
function M.record(text, from, separator)
  local stop = text:find("[\r\n]", from) or #text + 1
  local line = text:sub(from, stop - 1)
  if not line:find('"', 1, true) then
    return split_bare(line, separator), none, text:match("^\r?\n?()", stop), 1
  end
  local fields, quoted, last = split_quoted(text, from, separator)
  if not fields then return nil, quoted end
  local _, breaks = text:sub(from, last - 1):gsub("\r\n?", "\n"):gsub("\n", "")
  return fields, quoted, text:match("^\r?\n?()", last), breaks + 1
end

-- ---- separator ----

-- Fields of the first records when they all have as many, else nil; whether one of them is a number. (R's
-- write.table leaves out the first name of a header, that of the quoted row names.)
local function consistent(text, from, separator)
  local count, numbers
  for i = 1, 20 do
    from = text:match("^[ \t\r\n]*()", from)
    while text:byte(from) == 35 do from = text:match("^[^\r\n]*[ \t\r\n]*()", from) end
    if from > #text then break end
    local fields, quoted, after = M.record(text, from, separator)
    if not fields then return nil end
    if i == 2 and #fields == count + 1 and quoted[1] then count = #fields end
    if count and #fields ~= count then return nil end
    count = #fields
    for k, field in ipairs(fields) do numbers = numbers or not quoted[k] and M.to_number(field) end
    from = after
  end
  return count and count > 1 and count or nil, numbers
end

--- The separator of the table whose first record (names or data) is at `from`: the one that cuts its first
-- records alike.
function M.separator(text, from, decimal)
  for _, separator in ipairs{"\t", ";", decimal ~= "," and "," or nil} do
    if consistent(text, from, separator) then return separator end
  end
  local line = text:match("^[^\r\n]*", from)
  for _, separator in ipairs{",", ";", "\t"} do
    if line:find(separator, 1, true) then return separator end -- a record of another length will be named
  end
  local count, numbers = consistent(text, from, " ")
  return count and numbers and " " or ","
end

return M
