--- Kinds of series for matrices: images and heatmaps. See series.lua for what an element is.

local options = require "tide.base.options"
local series = require "tide.plot.series"
local stats = require "tide.base.stats"
local style = require "tide.plot.style"

local layers = series.layers
local cells = {}

--- Centre of the first cell and the step from one to the next; one cell of a given reach fills it.
function cells.steps(reach, n)
  local first, last = table.unpack(reach or {1, math.max(n, 1)})
  if n > 1 then return first, (last - first) / (n - 1) end
  return reach and 0.5 * (first + last) or 1, reach and last - first or 1
end

--- The rows of a matrix as a list of equally long lists of numbers; `name` is that of the option.
function cells.rows(context, label, z, name)
  name = name or "z"
  local list = stats.list(z)
  if not list then
    context:fail(('series "%s": %s must be rows of numbers or a matrix, got %s'):format(label, name,
      options.show(z)))
  end
  local rows = {}
  for r = 1, #list do
    if not stats.list(list[r]) then
      context:fail(('series "%s": %s must be rows of numbers; row %d is %s'):format(label, name, r,
        options.show(list[r])))
    end
    rows[r] = series.column(context, label, name, list[r], r > 1 and #rows[1] or nil)
  end
  return rows
end

-- gnuplot draws images of 2 x 2 cells or more; fewer are drawn as boxes.
local function image_element(cols, few, dx, dy)
  if not few then
    return {layer = layers.image, block = {names = {"x", "y", "value"}, segments = {cols}}, using = "1:2:3",
      code = "with image"}
  end
  local boxes = {{}, {}, {}, {}, {}, {}, {}}
  for i = 1, #cols[1] do
    if options.finite(cols[3][i]) then
      local x, y = cols[1][i], cols[2][i]
      for c, v in ipairs{x, y, x - dx / 2, x + dx / 2, y - dy / 2, y + dy / 2, cols[3][i]} do
        table.insert(boxes[c], v)
      end
    end
  end
  return {layer = layers.image, block = {names = {"x", "y", "left", "right", "bottom", "top", "value"},
    segments = {boxes}},
    using = "1:2:3:4:5:6:7", code = "with boxxyerror fs solid 1 noborder lc palette"}
end

-- The cells as columns x, y, value, row by row; the axes see them, what cannot be drawn is counted.
local function place_cells(o, context, label, rows, noun)
  if context.axes.xlog or context.axes.ylog then
    context:fail(('series "%s": an image has cells of equal size, so its axes cannot be logarithmic; take '
      .. 'the logarithm of x and y'):format(label))
  end
  local width = rows[1] and #rows[1] or 0
  local x0, dx = cells.steps(o.x, width)
  local y0, dy = cells.steps(o.y, #rows)
  local cols, missing = {{}, {}, {}}, false
  for r = 1, #rows do
    for c = 1, width do
      local v = rows[r][c]
      local reason = series.trouble(v, context:is_log("value"), "in a log colour scale")
      if reason then
        context:miss(noun, reason)
        missing = true
        v = 0 / 0
      end
      local i = #cols[1] + 1
      cols[1][i], cols[2][i], cols[3][i] = x0 + (c - 1) * dx, y0 + (r - 1) * dy, v
    end
  end
  context:count(label, noun, #cols[1])
  context:tight()
  if #cols[1] == 0 then return nil end
  -- Pixels reach half a step beyond their centres.
  for i, n in ipairs{width, #rows} do
    local first, step = ({x0, y0})[i], ({dx, dy})[i]
    context:see(({"x", "y"})[i], {first - step / 2, first + (n - 0.5) * step})
  end
  if missing then
    context:hatch(x0 - dx / 2, y0 - dy / 2, x0 + (width - 0.5) * dx, y0 + (#rows - 0.5) * dy)
  end
  context:palette(o.palette, o.range, cols[3])
  return cols, image_element(cols, #rows < 2 or width < 2, dx, dy)
end

series.kinds.image = {
  usage = "{z = matrix}",
  spec = {
    name = {"string"},
    -- rows of numbers; the first row at the bottom, as y grows upwards
    z = {"any", required = true},
    x = {"table", check = options.pair}, y = {"table", check = options.pair}, -- centres of the first and last
    -- the y axis points downwards: the first row at the top, as in photographs and tables
    picture = {"boolean", default = false},
    palette = style.palette_option,
    range = {"table", check = options.pair},                 -- values at the ends of the palette
  },
  build = function(o, context, label)
    if o.picture then context:downwards() end
    local _, element = place_cells(o, context, label, cells.rows(context, label, o.z), "cells")
    return {element}
  end,
}

-- ---- heatmaps ----

-- Numbers of more cells than these would be too small to read.
local MOST_ROWS = 24

-- The text of a value: whole numbers as they are, others by the caller's format.
local function text_of(context, label, v, form)
  if not form then
    return style.minus((options.integer(v) and math.abs(v) < 1e7 and "%d" or "%.3g"):format(v))
  end
  local ok, text = pcall(string.format, form, v)
  if not ok then
    context:fail(('series "%s": format %s cannot write %s'):format(label, options.show(form),
      options.show(v)))
  end
  if not text:find("^[%w.+%-/:%%]+$") then
    context:fail(('series "%s": format must give digits, letters and .+-/:%% without blanks, as "%%.2f" '
      .. 'does; got %s'):format(label, options.show(text)))
  end
  return style.minus(text)
end

-- A size at which the longest text fits into its cell.
local function fitting(longest, width, height)
  return function(built, as_text)
    if as_text then return "with labels" end
    local size = math.min(0.45 * built.box.y / height, 0.9 * built.box.x / width / (0.65 * longest), 13)
    return ('with labels noenhanced font ",%.3g"'):format(math.max(size, 4) * built.font_unit)
  end
end

-- Numbers in the cells: dark ones on light colours, light ones on dark colours.
local function numbers(o, context, label, cols, width, height)
  local stops = style.palette_stops(o.palette)
  local low, high = context.colors.low, context.colors.high
  local parts, longest = {{{}, {}, {}}, {{}, {}, {}}}, 1
  for i, v in ipairs(cols[3]) do
    if options.finite(v) then
      local text = text_of(context, label, v, o.format)
      longest = math.max(longest, utf8.len(text))
      local light = style.luminance(stops, style.share(v, low, high, context.axes.zlog))
      local part = parts[light > 0.45 and 1 or 2]
      for c, value in ipairs{cols[1][i], cols[2][i], text} do table.insert(part[c], value) end
    end
  end
  local code, elements = fitting(longest, width, height), {}
  for i, color in ipairs{"black", "white"} do
    elements[i] = {layer = series.layers.label, using = "1:2:3",
      block = {title = label .. ", numbers", names = {"x", "y", "text"}, segments = {parts[i]}},
      code = function(built, as_text)
        return code(built, as_text) .. (as_text and "" or " textcolor rgb " .. color)
      end}
  end
  return elements
end

-- Texts beside the rows or below the columns.
local function named_ticks(context, label, which, given, n)
  if given == nil then
    if n > MOST_ROWS then return nil end
    given = {}
    for i = 1, n do given[i] = i end
  end
  local list = {}
  for i = 1, #given do
    if type(given[i]) ~= "string" and not math.type(given[i]) then
      context:fail(('series "%s": %s[%d] must be a text or a number, got %s'):format(label, which, i,
        options.show(given[i])))
    end
    list[i] = {i, tostring(given[i])}
  end
  if #list ~= n then
    context:fail(('series "%s": %s has %d names for %d %s'):format(label, which, #list, n, which))
  end
  return list
end

series.kinds.heatmap = {
  usage = "{z = matrix}",
  spec = {
    name = {"string"},
    z = {"any", required = true},                  -- rows of numbers, the first at the top
    rows = {"table"}, columns = {"table"},         -- their names
    numbers = {"boolean"},                         -- nil: where they can be read
    format = {"string"},                           -- of the numbers: "%.2f"
    palette = style.palette_option,
    range = {"table", check = options.pair},
  },
  build = function(o, context, label)
    local rows = cells.rows(context, label, o.z)
    local height, width = #rows, rows[1] and #rows[1] or 0
    context:downwards()
    local cols, element = place_cells(o, context, label, rows, "cells")
    if not cols then return {} end
    context:default("xticks", named_ticks(context, label, "columns", o.columns, width))
    context:default("yticks", named_ticks(context, label, "rows", o.rows, height))
    context:default("ratio", math.max(0.3, math.min(height / width, 1.5)))
    context:turn()
    local show = o.numbers
    if show == nil then show = width <= MOST_ROWS and height <= MOST_ROWS end
    local elements = show and numbers(o, context, label, cols, width, height) or {}
    table.insert(elements, 1, element)
    return elements
  end,
}

return cells
