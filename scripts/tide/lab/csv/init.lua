--- CSV files: what experiments write and plots read, and the tables of other programs.
--
--   # command: ./tide experiments/anode/spheres.lua       comment lines
--   model,seed,epoch,loss                                 header
--   NODE,1,1,0.93                                         numbers bare, words bare or quoted
--
-- What is written comes back equal. Numbers come back as Lua numbers (integers as integers); a quoted field
-- is always a string, so "12" in quotes stays one. A column holds numbers or strings, never both; a missing
-- value (nothing, NA) is nan in a column of numbers. How the files of others are read stands in
-- reader.lua.

local core = require "tide.core"
local files = require "tide.base.files"
local options = require "tide.base.options"
local csv_reader = require "tide.lab.csv.reader"
local csv_text = require "tide.lab.csv.text"

local csv = {}

local to_number = csv_text.to_number

local function format_number(v, float_format)
  if not float_format or math.type(v) == "integer" or v - v ~= 0 then return core.number_text(v) end
  local text = float_format:format(v) -- of a locale with another point, too
  return text:find("[^0-9a-z+.-]") and text:gsub("[^0-9a-z+-]+", ".") or text
end

-- Quoted when bare text would read back as something else, or could be taken for a separator or a comment.
local function format_string(s)
  if to_number(s) or csv_text.is_missing(s) or s:find('[",;\t\r\n]') or s:find("^#") or s:find("^%s")
    or s:find("%s$") then
    return '"' .. s:gsub('"', '""') .. '"'
  end
  return s
end

local function format_field(v, float_format)
  if math.type(v) then return format_number(v, float_format) end
  if type(v) == "boolean" then return tostring(v) end
  if type(v) ~= "string" then
    return nil, "must be a number, a string or a boolean, got " .. options.show(v)
  end
  return format_string(v)
end

-- Blanks of a field that stands alone could be taken for separators.
local function line_of(fields)
  local first = fields[1]
  if #fields == 1 and first:find("[ \t]") and first:byte() ~= 34 then return '"' .. first .. '"' end
  return table.concat(fields, ",")
end

local function must(ok, message)
  if not ok then error("csv: cannot write " .. message, 3) end
  return ok
end

local Writer = {__name = "tide.csv.Writer"}
Writer.__index = Writer

--- Append one row: a table by column name, or an array in column order. Every column must be there; write nan
-- for "unknown".
function Writer:row(row)
  if not self.file then core.raise("csv: row after close of " .. self.path) end
  if type(row) ~= "table" then
    core.raise(("csv: %s row %d must be a table, got %s"):format(self.path, self.rows + 1, options.show(row)))
  end
  local by_name, fields, float_format = row[1] == nil, {}, self.float_format
  for i, name in ipairs(self.columns) do
    local value = row[by_name and name or i]
    local field, message
    if math.type(value) then
      field = format_number(value, float_format)
    else
      field, message = format_field(value, float_format)
    end
    if not field then
      core.raise(("csv: %s row %d: column %s %s"):format(self.path, self.rows + 1, name, message))
    end
    fields[i] = field
  end
  local known = by_name and self.known or self.columns
  for key in pairs(row) do
    if known[key] == nil then
      core.raise(("csv: %s row %d: %s"):format(self.path, self.rows + 1,
        options.unknown("column", key, self.columns)))
    end
  end
  must(self.file:write(line_of(fields), "\n"))
  self.rows = self.rows + 1
  return self
end

--- Hand the rows so far to the system, so that a killed run leaves them in the .part file (whose name is
-- `writer.part`).
function Writer:flush()
  if not self.file then core.raise("csv: flush after close of " .. self.path) end
  must(self.file:flush())
  return self
end

--- Finish: the file appears under its name. A second close does nothing. After a failure, of any call,
-- nothing appears.
function Writer:close()
  local file = self.file
  self.file = nil
  if file then must(file:close()) end
  return self
end

--- Give up: nothing appears, an older file stays.
function Writer:discard()
  if self.file then self.file:discard() end
  self.file = nil
end

function Writer:__tostring()
  return ("csv writer: %d rows so far, columns %s; %s"):format(self.rows, table.concat(self.columns, ", "),
    self.path)
end

-- `local w <close> = csv.writer(...)`: complete when the block ends well, discarded when it ends by an error.
function Writer:__close(failure)
  if failure ~= nil then self:discard() else self:close() end
end

local writer_spec = {
  comments = {"table", default = {}},
  digits = {"integer", check = options.between(1, 17)},
}

--- Open a table for writing: csv.writer(path, {"model", "loss"}, {comments = {"command: ..."}, digits = 6}).
-- Rows go to a temporary file beside `path` until :close().
function csv.writer(path, columns, opts)
  opts = options.check("csv.writer", opts, writer_spec)
  options.argument("csv.writer", "path", path, "string")
  options.list("csv.writer", "comments", opts.comments, "string")
  if type(columns) ~= "table" or #columns == 0 then
    core.raise("csv.writer: columns must be a list of names")
  end
  local names, seen = {}, {}
  for i = 1, #columns do
    local name = columns[i]
    if type(name) ~= "string" or name == "" then
      core.raise(("csv.writer: column %d must be a name, got %s"):format(i, options.show(name)))
    end
    if seen[name] then core.raise(("csv.writer: column %s appears twice"):format(name)) end
    seen[name], names[i] = true, format_string(name)
  end
  local file, message = core.file_writer(path)
  if not file then core.raise("csv.writer: cannot write " .. message) end
  local writer = setmetatable({path = path, part = file:temporary(), columns = columns, file = file, rows = 0,
    float_format = opts.digits and ("%%.%dg"):format(opts.digits), known = seen}, Writer)
  for _, comment in ipairs(opts.comments) do
    must(file:write("# ", (comment:gsub("[\r\n]+", "\n# ")), "\n"))
  end
  must(file:write(line_of(names), "\n"))
  return writer
end

--- Write a whole table at once: `rows` is a list of what writer:row takes.
function csv.write(path, columns, rows, opts)
  if type(rows) ~= "table" then
    core.raise("csv.write(path, columns, rows): rows must be a list of rows, got " .. options.show(rows))
  end
  local writer = csv.writer(path, columns, opts)
  local ok, message = pcall(function()
    for i = 1, #rows do writer:row(rows[i]) end
    writer:close()
  end)
  if not ok then
    writer:discard()
    if core.is_failure(message) then error(message, 0) end
    core.raise((tostring(message):gsub("^[^:]*:%d+: ", "")))
  end
end

local Table = {__name = "tide.csv.Table"}
Table.__index = Table

function Table:__tostring()
  return ("csv table: %d rows, columns %s"):format(self.rows, table.concat(self.names, ", "))
end

--- The values of a column by name or number, divided by `unit` if there is one; an unknown name is an error
-- that lists the columns.
function Table:column(name, unit)
  local values = self.columns[name] or self.columns[self.names[name]]
  if not values then core.raise(("%s: %s"):format(self.path, options.unknown("column", name, self.names))) end
  if not unit then return values end
  local out = {}
  for i, v in ipairs(values) do out[i] = v / unit end
  return out
end

function Table:has(name) return self.columns[name] ~= nil end

local function empty_like(t)
  local out = setmetatable({path = t.path, names = t.names, comments = t.comments, columns = {}, rows = 0},
    Table)
  for _, name in ipairs(t.names) do out.columns[name] = {} end
  return out
end

local function add_row(to, from, row)
  to.rows = to.rows + 1
  for _, name in ipairs(from.names) do to.columns[name][to.rows] = from.columns[name][row] end
end

local function record(t, row)
  local out = {}
  for _, name in ipairs(t.names) do out[name] = t.columns[name][row] end
  return out
end

--- The rows as a list of {column = value}.
function Table:records()
  local list = {}
  for row = 1, self.rows do list[row] = record(self, row) end
  return list
end

--- The rows for which keep({column = value}) is true, as a table.
function Table:where(keep)
  local out = empty_like(self)
  for row = 1, self.rows do
    if keep(record(self, row)) then add_row(out, self, row) end
  end
  return out
end

-- Numbers or strings in ascending order, nan last.
local function before(a, b) return a < b or a == a and b ~= b end

--- The rows in ascending order of some columns, nan last, as a table; rows that agree in them stay in their
-- order.
function Table:sorted(...)
  local order, by = {}, {}
  for row = 1, self.rows do order[row] = row end
  for i, name in ipairs{...} do by[i] = self:column(name) end
  table.sort(order, function(a, b)
    for _, values in ipairs(by) do
      if before(values[a], values[b]) then return true end
      if before(values[b], values[a]) then return false end
    end
    return a < b
  end)
  local out = empty_like(self)
  for _, row in ipairs(order) do add_row(out, self, row) end
  return out
end

--- Split the rows by the values of some columns, in order of first appearance: a list of tables as csv.read
-- gives, each with `key = {name = value}`.
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
      group = empty_like(self)
      group.key = key
      found[id], groups[#groups + 1] = group, group
    end
    add_row(group, self, row)
  end
  return groups
end

--- A table from a list of {column = value}, as csv.read gives one; `names` are its columns, in order.
function csv.table(names, records)
  options.list("csv.table", "names", names, "string")
  options.list("csv.table", "records", records, "table")
  local out = setmetatable({path = "csv.table", names = names, comments = {}, columns = {}, rows = #records},
    Table)
  for _, name in ipairs(names) do
    local values = {}
    for row, r in ipairs(records) do
      values[row] = r[name]
      if values[row] == nil then
        core.raise(("csv.table: row %d has no %s; write nan for unknown"):format(row, name))
      end
    end
    out.columns[name] = values
  end
  return out
end

local one_of = {[","] = true, [";"] = true, ["\t"] = true, [" "] = true}
local reader_spec = {
  separator = {"string", check = function(s) return one_of[s] or false, 'one of ",", ";", "\\t", " "' end},
  decimal = {"string", check = options.one_of{".", ","}},
  header = {"boolean|table"}, comment = {"boolean"},
}

--- Parse CSV text; `where` names it in messages. See csv.read.
function csv.parse(text, where, opts)
  opts = options.check("csv.parse", opts, reader_spec)
  if type(text) ~= "string" then core.raise("csv.parse: a text is expected, got " .. options.show(text)) end
  return setmetatable(csv_reader.parse(text, where or "csv", opts), Table)
end

--- Read a file: {names = {...}, columns = {name = values}, rows = n, comments = {...}, path =} with the
-- methods :column(name), :has(name), :group(name, ...). `wanted` (optional) lists columns that must be there.
-- Options: separator, decimal, header, comment; each is found out from the text when it is not given.
function csv.read(path, wanted, opts)
  opts = options.check("csv.read", opts, reader_spec)
  options.argument("csv.read", "path", path, "string")
  options.list("csv.read", "wanted", wanted or {}, "string")
  local text, message = files.read(path)
  if not text then core.raise("csv.read: " .. message) end
  local ok, result = pcall(csv.parse, text, path, opts)
  if not ok then core.raise("csv.read: " .. result) end
  for _, name in ipairs(wanted or {}) do
    if not result.columns[name] then
      core.raise(("csv.read: %s: column %s is missing; the file has: %s"):format(path, name,
        table.concat(result.names, ", ")))
    end
  end
  return result
end

return csv
