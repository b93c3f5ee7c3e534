--- CSV files: what experiments write and plots read.
--
--   # command: ./tide experiments/anode/spheres.lua       comment lines, before the header only
--   model,seed,epoch,loss                                 header
--   NODE,1,1,0.93                                         numbers bare, words bare or quoted
--
-- Numbers come back as Lua numbers (integers as integers); a quoted field is always a string, so "12" in quotes stays one. A column
-- holds numbers or strings, never both. `nan`, `inf` and `-inf` are numbers; an empty bare field reads as nan, as pandas writes it.

local files = require "tide.files"
local options = require "tide.options"

local csv = {}

local special = {nan = 0 / 0, ["-nan"] = 0 / 0, inf = math.huge, ["-inf"] = -math.huge}

-- Lua's tonumber also takes hexadecimal and surrounding blanks; a strict reader must not.
local function to_number(text)
  if special[text] then return special[text] end
  if text:find("^[+-]?%d[%d.]*[eE]?[+-]?%d*$") or text:find("^[+-]?%.%d+[eE]?[+-]?%d*$") then return tonumber(text) end
end

local function format_number(v, float_format)
  if math.type(v) == "integer" then return ("%d"):format(v) end
  if v ~= v then return "nan" end -- printf may say "-nan"
  return float_format:format(v)
end

-- Quoted when bare text would read back as something else.
local function format_string(s)
  if s == "" or to_number(s) or s:find('[",]') or s:find("^#") or s:find("^%s") or s:find("%s$") then
    return '"' .. s:gsub('"', '""') .. '"'
  end
  return s
end

local function format_field(v, float_format)
  if math.type(v) then return format_number(v, float_format) end
  if type(v) == "boolean" then return tostring(v) end
  if type(v) ~= "string" then return nil, "must be a number, a string or a boolean, got " .. options.show(v) end
  if v:find("[\r\n]") then return nil, "holds a line break: " .. options.show(v) end
  return format_string(v)
end

local Writer = {}
Writer.__index = Writer

--- Append one row: a table by column name, or an array in column order. Every column must be there; write nan for "unknown".
function Writer:row(row)
  if not self.file then error("csv: row after close of " .. self.path, 2) end
  local known, by_name = {}, row[1] == nil
  local fields = {}
  for i, name in ipairs(self.columns) do
    known[by_name and name or i] = true
    local field, message = format_field(row[by_name and name or i], self.float_format)
    if not field then error(("csv: %s row %d: column %s %s"):format(self.path, self.rows + 1, name, message), 2) end
    fields[i] = field
  end
  for key in pairs(row) do
    if not known[key] then
      error(("csv: %s row %d: %s"):format(self.path, self.rows + 1, options.unknown("column", key, self.columns)), 2)
    end
  end
  self.rows = self.rows + 1
  local ok, message = self.file:write(table.concat(fields, ","), "\n")
  if not ok then error(("csv: cannot write %s: %s"):format(self.path, message), 2) end
  return self
end

--- Hand the rows so far to the system, so that a killed run leaves them in the .part file (whose name is `writer.part`).
function Writer:flush()
  self.file:flush()
  return self
end

--- Finish: the file appears under its name. A second close does nothing.
function Writer:close()
  if not self.file then return self end
  local ok, message = self.file:close()
  self.file = nil
  if ok then ok, message = files.replace(self.part, self.path) end
  if not ok then error(("csv: cannot write %s: %s"):format(self.path, message), 2) end
  return self
end

--- Give up: nothing appears, an older file stays.
function Writer:discard()
  if self.file then
    self.file:close()
    self.file = nil
    os.remove(self.part)
  end
end

-- `local w <close> = csv.writer(...)`: complete when the block ends well, discarded when it ends by an error.
function Writer:__close(failure)
  if failure ~= nil then self:discard() else self:close() end
end

local writer_spec = {
  comments = {"table", default = {}},
  digits = {"integer", default = 9, check = options.between(1, 17)},
}

--- Open a table for writing: csv.writer(path, {"model", "loss"}, {comments = {"command: ..."}, digits = 9 | 17}).
-- Rows go to a temporary file beside `path` until :close().
function csv.writer(path, columns, opts)
  opts = options.check("csv.writer", opts, writer_spec)
  if type(columns) ~= "table" or #columns == 0 then error("csv.writer: columns must be a list of names", 2) end
  local names, seen = {}, {}
  for i, name in ipairs(columns) do
    if type(name) ~= "string" or name == "" or name:find("[\r\n]") then
      error(("csv.writer: column %d must be a name, got %s"):format(i, options.show(name)), 2)
    end
    if seen[name] then error(("csv.writer: column %s appears twice"):format(name), 2) end
    seen[name], names[i] = true, format_string(name)
  end
  local part = files.part_name(path)
  local file, message = io.open(part, "wb")
  if not file then error(("csv.writer: cannot write %s: %s"):format(path, message), 2) end
  for _, comment in ipairs(opts.comments) do file:write("# ", (comment:gsub("[\r\n]+", "\n# ")), "\n") end
  file:write(table.concat(names, ","), "\n")
  return setmetatable({path = path, part = part, columns = columns, file = file, rows = 0,
    float_format = ("%%.%dg"):format(opts.digits)}, Writer)
end

--- Write a whole table at once: `rows` is a list of what writer:row takes.
function csv.write(path, columns, rows, opts)
  local writer = csv.writer(path, columns, opts)
  local ok, message = pcall(function()
    for _, row in ipairs(rows) do writer:row(row) end
    writer:close()
  end)
  if not ok then
    writer:discard()
    error((tostring(message):gsub("^[^:]*:%d+: ", "")), 2)
  end
end

-- The fields of one line as {text =, quoted =}; nil and a message when the quoting is wrong.
local function split_line(line)
  local fields, position = {}, 1
  while true do
    if line:sub(position, position) == '"' then
      local text, from = "", position + 1
      repeat
        local closing = line:find('"', from, true)
        if not closing then return nil, "a quoted field does not end" end
        text = text .. line:sub(from, closing - 1)
        from = closing + 1
        local doubled = line:sub(from, from) == '"'
        if doubled then text, from = text .. '"', from + 1 end
      until not doubled
      local after = line:sub(from, from)
      if after ~= "" and after ~= "," then return nil, ("unexpected %q after a quoted field"):format(after) end
      fields[#fields + 1] = {text = text, quoted = true}
      position = from
    else
      local comma = line:find(",", position, true) or #line + 1
      local text = line:sub(position, comma - 1)
      if text:find('"', 1, true) then return nil, ("a quote inside the bare field %q"):format(text) end
      fields[#fields + 1] = {text = text, quoted = false}
      position = comma
    end
    if position > #line then return fields end
    position = position + 1
  end
end

local Table = {}
Table.__index = Table

--- The values of a column; an unknown name is an error that lists the columns.
function Table:column(name)
  local values = self.columns[name]
  if not values then error(("%s: %s"):format(self.path, options.unknown("column", name, self.names)), 2) end
  return values
end

function Table:has(name) return self.columns[name] ~= nil end

--- Split the rows by the values of some columns, in order of first appearance: a list of tables as csv.read gives,
-- each with `key = {name = value}`.
function Table:group(...)
  local by, groups, found = {...}, {}, {}
  for row = 1, self.rows do
    local key, parts = {}, {}
    for i, name in ipairs(by) do
      key[name] = self:column(name)[row]
      parts[i] = math.type(key[name]) and ("%.17g"):format(key[name]) or "s" .. key[name]
    end
    local id = table.concat(parts, "\0")
    local group = found[id]
    if not group then
      group = setmetatable({path = self.path, names = self.names, comments = self.comments, columns = {}, rows = 0}, Table)
      group.key = key
      for _, name in ipairs(self.names) do group.columns[name] = {} end
      found[id], groups[#groups + 1] = group, group
    end
    group.rows = group.rows + 1
    for _, name in ipairs(self.names) do group.columns[name][group.rows] = self.columns[name][row] end
  end
  return groups
end

local function fail(where, line, message) error(("%s:%d: %s"):format(where, line, message), 0) end

local function read_header(where, number, line)
  local fields, message = split_line(line)
  if not fields then fail(where, number, message) end
  local names, columns = {}, {}
  for i, field in ipairs(fields) do
    local name = field.text
    if name == "" then fail(where, number, ("column %d has no name"):format(i)) end
    if columns[name] then fail(where, number, ("column %s appears twice"):format(name)) end
    names[i], columns[name] = name, {}
  end
  return names, columns
end

local function read_row(where, number, line, result, kinds)
  local fields, message = split_line(line)
  if not fields then fail(where, number, message) end
  if #fields ~= #result.names then
    fail(where, number, ("%d fields where the header names %d"):format(#fields, #result.names))
  end
  result.rows = result.rows + 1
  for i, name in ipairs(result.names) do
    local text = fields[i].text
    local value = text
    if not fields[i].quoted then value = text == "" and 0 / 0 or to_number(text) or text end
    local kind = type(value)
    kinds[i] = kinds[i] or kind
    if kind ~= kinds[i] then
      fail(where, number, ("column %s held %ss so far, got %s"):format(name, kinds[i], options.show(fields[i].text)))
    end
    result.columns[name][result.rows] = value
  end
end

--- Parse CSV text; `where` names it in messages. See csv.read.
function csv.parse(text, where)
  where = where or "csv"
  local result = setmetatable({path = where, names = nil, columns = nil, comments = {}, rows = 0}, Table)
  local kinds, number = {}, 0
  text = text:gsub("^\239\187\191", "") -- spreadsheets like to write a byte order mark
  for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    line = line:gsub("\r$", "")
    if not result.names and line:sub(1, 1) == "#" then
      result.comments[#result.comments + 1] = line:gsub("^#%s?", "")
    elseif not result.names then
      if line == "" then fail(where, number, text == "" and "the file is empty" or "expected a header, got an empty line") end
      result.names, result.columns = read_header(where, number, line)
    else
      read_row(where, number, line, result, kinds)
    end
  end
  if not result.names then fail(where, number, "no header: the file holds comments only") end
  return result
end

--- Read a file: {names = {...}, columns = {name = values}, rows = n, comments = {...}, path =} with the methods
-- :column(name), :has(name), :group(name, ...). `wanted` (optional) lists columns that must be there.
function csv.read(path, wanted)
  local text, message = files.read(path)
  if not text then error("csv.read: " .. message, 2) end
  local ok, result = pcall(csv.parse, text, path)
  if not ok then error("csv.read: " .. result, 2) end
  for _, name in ipairs(wanted or {}) do
    if not result.columns[name] then
      error(("csv.read: %s: column %s is missing; the file has: %s"):format(path, name, table.concat(result.names, ", ")), 2)
    end
  end
  return result
end

return csv
