--- From the text of a table to its columns: which line names them, what is a comment, what a blank line
-- means, which kind a column has.
--
-- A row is never lost without a word: what could be read in two ways is an error that names the option which
-- decides.

local csv_text = require "tide.lab.csv.text"
local plain_rows = require "tide.lab.csv.plain_rows"
local options = require "tide.base.options"

local M = {}

-- What a parse knows so far. Places are those of the text, lines count from 1.
local Reader = {}
Reader.__index = Reader

function Reader:fail(line, message) error(("%s:%d: %s"):format(self.where, line, message), 0) end

-- ---- lines and records ----

function Reader:record(from, line)
  local fields, quoted, after, breaks = csv_text.record(self.text, from, self.separator)
  if not fields then self:fail(line, quoted) end
  return fields, quoted, after, line + breaks
end

-- The record behind a place, blank lines left out; nil when there is none or when it is broken (which will be
-- said when it is read).
function Reader:peek(from)
  local at = self.text:match("^[ \r\n]*()", from)
  if at > #self.text then return nil end
  local fields, quoted = csv_text.record(self.text, at, self.separator)
  if fields then return fields, quoted end
end

-- The next line that is neither blank nor a comment: its place and number, or nil at the end. Comments on the
-- way are kept.
function Reader:skip(from, line)
  local blank = self.separator == "\t" and "^ *$" or "^[ \t]*$" -- between tabs there are missing values
  while from <= #self.text do
    local stop, after = self.text:match("^[^\r\n]*()\r?\n?()", from)
    local text = self.text:sub(from, stop - 1)
    if text:find("^[ \t]*#") and self:is_comment(line, text) then
      self.comments[#self.comments + 1] = text:gsub("^[ \t]*#%s?", "")
      self.comment_line, self.comment_text = line, text
    elseif not text:find(blank) then
      if self.blank_line and #self.names == 1 then
        self:fail(self.blank_line,
          "an empty line in a table of one column: remove it, or write NA for a missing value")
      end
      return from, line
    elseif self.rows > 0 then
      self.blank_line = self.blank_line or line
    end
    from, line = after, line + 1
  end
end

-- Behind the header a line with "#" could be data, when the first column holds strings.
function Reader:is_comment(line, text)
  local said = self.opts.comment
  if said ~= nil then return said end
  if not self.names or self.kinds[1] == "number" then return true end
  local fields = csv_text.record(text, 1, self.separator)
  if fields and #fields == #self.names then
    self:fail(line, "a comment or a row? say comment = true, or comment = false")
  end
  return true
end

-- ---- numbers ----

-- A bare text as a number, and the sign that its point has in it (nil when it has none).
function Reader:number(text)
  local v = csv_text.to_number(text)
  if v then return v, text:find(".", 1, true) and "." or nil end
  if self.opts.decimal == "," or self.opts.decimal == nil and self.separator == ";" then
    local pointed = csv_text.decimal_comma(text)
    if pointed then return tonumber(pointed), "," end
  end
end

-- The value of a bare field that is not missing, and its kind.
function Reader:value(text, line)
  local v, sign = self:number(text)
  if not v then return text, "string" end
  if sign and self.decimal and sign ~= self.decimal then
    self:fail(line, ("%s: so far the decimal sign of this file was %q; say decimal = \".\" or \",\""):format(
      options.show(text), self.decimal))
  end
  self.decimal = sign or self.decimal
  return v, "number"
end

-- ---- the header ----

-- 0, 1, ..., n - 1 from field `first` on: how pandas numbers columns without names.
local function counts_up(fields, first)
  for i = first, #fields do if fields[i] ~= tostring(i - first) then return false end end
  return #fields >= first
end

-- A complex number of Python, Julia or MATLAB: no number to us, but no name either.
local function is_complex(field) return field:find("^%(?[+-]?%d[%d.eE+-]*[ij]%)?$") ~= nil end

-- Which fields are bare numbers; how many are, how many are words, whether all the numbers are whole.
function Reader:survey(fields, quoted)
  local is_number, numbers, words, whole = {}, 0, 0, true
  for i, field in ipairs(fields) do
    if not quoted[i] and (self:number(field) or is_complex(field)) then
      is_number[i], numbers = true, numbers + 1
      whole = whole and field:find("^%d+$") ~= nil
    elseif quoted[i] and field ~= "" or not csv_text.is_missing(field) then
      words = words + 1
    end
  end
  return is_number, numbers, words, whole
end

-- Same kinds, field by field? Then either may be data.
function Reader:alike(is_number, n, following, following_quoted)
  if not following or #following ~= n then return false end
  local other = self:survey(following, following_quoted)
  for i = 1, n do if is_number[i] ~= other[i] then return false end end
  return true
end

-- A comment right before the data that names as many columns: what savetxt and gnuplot write.
function Reader:comment_header(line, count)
  if self.comment_line ~= line - 1 then return nil end
  local fields, quoted = csv_text.record(self.comment_text:gsub("^[ \t]*#[ \t]*", ""), 1, self.separator)
  if not fields or #fields ~= count then return nil end
  local _, numbers, words = self:survey(fields, quoted)
  return numbers == 0 and words == count and fields or nil
end

-- Does the record name the columns? true, or false and their names when a comment does; an error when both
-- could be.
function Reader:is_header(fields, quoted, after, line)
  local names = self:comment_header(line, #fields)
  local is_number, numbers, words, whole = self:survey(fields, quoted)
  local alike = self:alike(is_number, #fields, self:peek(after))
  local doubt
  if numbers == 0 then
    if not (names and #names > 1 and alike and self.comment_text:find("^[ \t]*#[^ \t]")) then return true end
    doubt = "does this line name the columns, or the comment before it?"
  elseif names then
    return false, names
  elseif words == 0 then
    -- an index without a name, as pandas writes it
    if fields[1] == "" and counts_up(fields, 2) then return true end
    if not counts_up(fields, 1) then return false end
    doubt = "this line counts 0, 1, ...: names as pandas gives them, or data?"
  elseif not whole then
    doubt = "this line holds words and numbers: names or data?"
  elseif alike then
    doubt = "this line and the next look alike: names or data?"
  else
    return true
  end
  self:fail(line, doubt .. ' Say header = true (names), header = false (data), or header = {"name", ...}')
end

-- R's write.table leaves out the name of the column of row names, whose values are quoted.
function Reader:lacks_row_names(fields, after)
  local row, quoted = self:peek(after)
  return row and #row == #fields + 1 and quoted[1] and (self.separator == " " or self.separator == "\t")
end

function Reader:set_names(names, line)
  self.names = {}
  for i, name in ipairs(names) do
    if type(name) ~= "string" then
      self:fail(line, "option header must be a list of names, got " .. options.show(name))
    end
    if name == "" then name = "column" .. i end
    if self.columns[name] then self:fail(line, ("column %s appears twice"):format(name)) end
    self.names[i], self.columns[name] = name, {}
  end
end

-- Decide what names the columns; returns where the data begin.
function Reader:read_header(from, line)
  local fields, quoted, after, next_line = self:record(from, line)
  local header, names = self.opts.header, nil
  if type(header) == "table" then
    header, names = false, header
  elseif header == nil then
    header, names = self:is_header(fields, quoted, after, line)
    if names then self.comments[#self.comments] = nil end
  end
  if header and self:lacks_row_names(fields, after) then table.insert(fields, 1, "") end
  if not header and not names then
    names = {}
    for i = 1, #fields do names[i] = "" end
  end
  self:set_names(names or fields, line)
  if header then return after, next_line end
  return from, line
end

-- ---- rows ----

-- The kind of column i is known now: missing values that waited for it get theirs.
function Reader:settle(i, kind)
  local column = self.columns[self.names[i]]
  for row, text in pairs(self.waiting[i] or {}) do column[row] = kind == "string" and text or 0 / 0 end
  self.waiting[i], self.kinds[i] = nil, kind
end

-- Of nothing but quoted missing values no column of numbers is made; beside numbers they are missing, as
-- pandas writes them.
function Reader:read_missing(i, text, quoted)
  local kind = self.kinds[i]
  if quoted then self.quoted_empty[i] = true end
  if not kind then
    self.waiting[i] = self.waiting[i] or {}
    self.waiting[i][self.rows] = text
  end
  self.columns[self.names[i]][self.rows] = kind == "number" and 0 / 0 or text
end

function Reader:read_row(fields, quoted, line)
  if #fields ~= #self.names then
    self:fail(line, ("%d fields where the header names %d"):format(#fields, #self.names))
  end
  self.rows = self.rows + 1
  for i, text in ipairs(fields) do
    if text == "" or not quoted[i] and csv_text.is_missing(text) then
      self:read_missing(i, text, quoted[i])
    else
      local value, kind = text, "string"
      if not quoted[i] then value, kind = self:value(text, line) end
      if not self.kinds[i] then self:settle(i, kind) end
      if kind ~= self.kinds[i] then
        self:fail(line, ("column %s held %ss so far, got %s"):format(self.names[i], self.kinds[i],
          options.show(text)))
      end
      self.columns[self.names[i]][self.rows] = value
    end
  end
end

--- parse(text, where, {separator =, decimal =, header =, comment =}) -> {names =, columns =, comments =, rows
-- =, path = where}
function M.parse(text, where, opts)
  if text:find("^\255\254") or text:find("^\254\255") then
    error(where .. ": the text is UTF-16; save it as UTF-8", 0)
  end
  text = text:gsub("^\239\187\191", "") -- spreadsheets like to write a byte order mark
  local self = setmetatable({text = text, where = where, opts = opts, decimal = opts.decimal, columns = {},
    comments = {}, rows = 0, kinds = {},
    waiting = {}, quoted_empty = {}}, Reader)
  local from, line = self:skip(1, 1)
  if not from then
    self:fail(1, #self.comments > 0 and "no header: the file holds comments only" or "the file is empty")
  end
  self.separator = opts.separator or csv_text.separator(text, from, opts.decimal)
  from, line = self:skip(self:read_header(from, line))
  local take
  while from do
    take = take or plain_rows.taker(self)
    local fields, quoted, after, next_line = self:record(from, line)
    self:read_row(fields, quoted, line)
    if take then after, next_line = take(after, next_line) end
    from, line = self:skip(after, next_line)
  end
  for i = 1, #self.names do
    if self.waiting[i] then self:settle(i, self.quoted_empty[i] and "string" or "number") end
  end
  return {path = where, names = self.names, columns = self.columns, comments = self.comments,
    rows = self.rows}
end

return M
