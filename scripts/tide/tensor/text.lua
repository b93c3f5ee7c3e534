--- Tensors as text: what print, tostring and the prompt show.
--
-- One format for all entries of a tensor, so that columns are aligned and can be compared: fixed decimals,
-- fewer for large whole numbers, else, where these would hide an entry or run long, scientific notation.

local core = require "tide.core"
local options = require "tide.base.options"
local show = require "tide.base.show"
local tree = require "tide.base.tree"

local M = {}

-- ---- settings ----

local function auto_or(kind, check, expected)
  return function(v)
    if v == "auto" or type(v) == kind and check(v) then return true end
    return false, '"auto" or ' .. expected
  end
end

local function integer_in(low, high)
  local expected = ("an integer in %d..%d"):format(low, high)
  return function(v) return math.tointeger(v) ~= nil and v >= low and v <= high, expected end
end

local function not_negative(v) return v >= 0, "a number >= 0; math.huge prints everything" end

local spec = {
  precision = {"number", default = 4, check = integer_in(0, 17)},
  threshold = {"number", default = 1000, check = not_negative},
  edge = {"number", default = 3, check = integer_in(1, 1000000)},
  width = {"number|string", default = "auto",
    check = auto_or("number", integer_in(20, 100000), "an integer in 20..100000")},
  scientific = {"boolean|string", default = "auto",
    check = auto_or("boolean", function() return true end, "true or false")},
}

local settings = options.check("tide.set_print", nil, spec)

--- The settings in force, as a table that set_print takes.
function M.get_print()
  local copy = {}
  for k, v in pairs(settings) do copy[k] = v end
  return copy
end

--- Change settings (those given; without argument all go back to their defaults); returns those before.
function M.set_print(given)
  local before, checked = M.get_print(), options.check("tide.set_print", given, spec)
  for k in pairs(given or spec) do settings[k] = checked[k] end
  return before
end

-- ---- numbers ----

-- Largest and smallest absolute value of the finite entries that are not zero, and whether all are whole.
local function survey(values, found)
  for _, v in ipairs(values) do
    if type(v) == "table" then
      survey(v, found)
    elseif v - v == 0 and v ~= 0 then
      local a = math.abs(v)
      found.max, found.min = math.max(found.max, a), math.min(found.min, a)
      found.whole = found.whole and a == math.floor(a)
    end
  end
  return found
end

-- Decimals of fixed notation, or nil where scientific notation is due.
local function decimals_for(found)
  local precision = settings.precision
  if found.whole and found.max >= 1e3 and found.max < 1e8 then return math.min(1, precision) end
  local decimals = precision
  if found.max > 0 and found.max < 0.1 then decimals = precision - 1 - math.floor(math.log(found.max, 10)) end
  if settings.scientific == false then return math.min(decimals, 30) end
  if found.max == 0 then return decimals end
  if found.max >= 1e6 or found.max < 1e-4 or found.min < 0.5 * 10.0 ^ -decimals then return nil end
  return decimals
end

local function formatter(values, dtype)
  if dtype == "int64" or dtype == "uint8" then return function(v) return ("%d"):format(v) end end
  local found = survey(values, {max = 0, min = math.huge, whole = true})
  local decimals = settings.scientific ~= true and decimals_for(found)
  local pattern = decimals and ("%%.%df"):format(decimals) or ("%%.%de"):format(settings.precision)
  return function(v)
    if v ~= v then return "nan" end
    if v - v ~= 0 then return v > 0 and "inf" or "-inf" end
    return pattern:format(v)
  end
end

-- ---- layout ----

-- Nested numbers to nested texts; returns them and the longest length.
local function texts_of(values, format, longest)
  local out = {}
  for i, v in ipairs(values) do
    if type(v) == "table" then
      out[i], longest = texts_of(v, format, longest)
    else
      out[i] = format(v)
      longest = math.max(longest, #out[i])
    end
  end
  return out, longest
end

-- The entries of an axis that are there, with false where some are left out; then at most `most` in all.
local function with_gap(list, n, most)
  if #list == n then return list end
  local edge = math.max(1, math.min(#list // 2, ((most or math.huge) - 1) // 2))
  local out = table.move(list, 1, edge, 1, {})
  out[edge + 1] = false
  return table.move(list, #list - edge + 1, #list, edge + 2, out)
end

local function cell(text, longest)
  return text and (" "):rep(longest - #text) .. text or "..."
end

local function add_line(page, depth, cells, first, last)
  page.lines[#page.lines + 1] = (" "):rep(depth) .. table.concat(cells, "  ", first, last)
end

local function cells_of(page, list, axis, most)
  local cells = {}
  for i, text in ipairs(with_gap(list, page.shape[axis], most)) do cells[i] = cell(text, page.longest) end
  return cells
end

local function per_line(page, depth) return math.max(1, (page.width - depth + 2) // (page.longest + 2)) end

local function add_vector(page, list)
  local step = per_line(page, 1)
  local cells = cells_of(page, list, 1, step)
  for first = 1, #cells, step do add_line(page, 1, cells, first, math.min(first + step - 1, #cells)) end
end

-- A matrix wider than the page stands in blocks of columns.
local function add_matrix(page, rows, axis, depth)
  local all, count, step = {}, 0, per_line(page, depth)
  for i, row in ipairs(with_gap(rows, page.shape[axis])) do
    all[i] = row and cells_of(page, row, axis + 1, step)
    count = row and #all[i] or count
  end
  for first = 1, count, step do
    local last = math.min(first + step - 1, count)
    if step < count then
      local title = first == last and ("column %d:"):format(first)
        or ("columns %d to %d:"):format(first, last)
      page.lines[#page.lines + 1] = (" "):rep(depth) .. title
    end
    for _, cells in ipairs(all) do
      if cells then add_line(page, depth, cells, first, last) else add_line(page, depth, {"..."}) end
    end
  end
end

local function add_parts(page, parts, axis, depth)
  if #page.shape - axis == 1 then return add_matrix(page, parts, axis, depth) end
  local n = page.shape[axis]
  for i, part in ipairs(with_gap(parts, n)) do
    local index = #parts < n and i > page.edge and n - (2 * page.edge + 1) + i or i
    page.lines[#page.lines + 1] = (" "):rep(depth) .. (part and ("[%d]"):format(index) or "...")
    if part then add_parts(page, part, axis + 1, depth + 1) end
  end
end

local function columns()
  return settings.width == "auto" and (core.isatty(1) and core.terminal_width() or 80) or settings.width
end

--- Values aligned, with dtype and shape; of a tensor with as many elements as the threshold, or more, only
-- the ends of long axes are shown. Other values as the prompt shows them.
function M.tostring(x)
  if not tree.is_tensor(x) then return show.value(x, columns()) end
  local shape = x:shape()
  local head = ("tensor %s {%s}"):format(x:dtype(), table.concat(shape, ", "))
  if core.is_symbolic(x) then return head .. " (symbolic)" end
  if x:numel() == 0 then return head .. " (empty)" end
  local whole = x:numel() < settings.threshold
  local values = whole and x:totable() or core.edges(x, settings.edge)
  local format = formatter(type(values) == "table" and values or {values}, x:dtype())
  if #shape == 0 then return ("%s  %s"):format(format(values), head) end
  local page = {lines = {head}, shape = shape, edge = settings.edge}
  page.width = columns()
  local texts
  texts, page.longest = texts_of(values, format, 0)
  if #shape == 1 then add_vector(page, texts) else add_parts(page, texts, 1, 1) end
  return table.concat(page.lines, "\n")
end

return M
