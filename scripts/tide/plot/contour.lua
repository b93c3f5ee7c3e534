--- Contours of a matrix: lines of equal value with their numbers, or the regions between them in colours. See
-- series.lua for what an element is.

local cells = require "tide.plot.cells"
local isolines = require "tide.plot.isolines"
local options = require "tide.base.options"
local series = require "tide.plot.series"
local stats = require "tide.base.stats"
local style = require "tide.plot.style"

local layers = series.layers
local contour = {}

-- ---- the grid ----

--- Coordinates of n columns or rows: {first, last}, or n numbers in order.
function contour.coordinates(context, label, which, given, n)
  local list = given == nil and {1, math.max(n, 1)} or series.column(context, label, which, given)
  local out, ends = {}, #list == 2
  if not ends and #list ~= n then
    context:fail(('series "%s": %s must be {first, last} or %d numbers, got %d'):format(label, which, n,
      #list))
  end
  for i = 1, n do
    out[i] = ends and list[1] + (list[2] - list[1]) * ((i - 1) / math.max(n - 1, 1)) or list[i]
    local reason = series.trouble(out[i], context:is_log(which))
    if reason then context:fail(('series "%s": %s[%d] is %s'):format(label, which, i, reason)) end
    if i > 1 and (out[i] == out[i - 1] or i > 2 and (out[i] > out[i - 1]) ~= (out[2] > out[1])) then
      context:fail(('series "%s": %s must ascend or descend, %g follows %g'):format(label, which, out[i],
        out[i - 1]))
    end
  end
  return out
end

local function reversed(list)
  local out = {}
  for i = 1, #list do out[i] = list[#list + 1 - i] end
  return out
end

-- {z =, x =, y =, width =, height =, values = all that can be drawn}, ascending in x and y; what cannot be
-- drawn is -inf.
local function grid_of(o, context, label)
  local z = cells.rows(context, label, o.z)
  local grid = {height = #z, width = z[1] and #z[1] or 0, values = {}, z = {}}
  grid.x = contour.coordinates(context, label, "x", o.x, grid.width)
  grid.y = contour.coordinates(context, label, "y", o.y, grid.height)
  for r, row in ipairs(z) do
    grid.z[r] = {}
    for c, v in ipairs(row) do
      local reason = series.trouble(v, context:is_log("value"), "in a log colour scale")
      if reason then context:miss("values", reason) else table.insert(grid.values, v) end
      grid.z[r][c] = reason and -math.huge or v + 0.0
    end
  end
  context:count(label, "values", grid.width * grid.height)
  if grid.width > 1 and grid.x[2] < grid.x[1] then
    grid.x = reversed(grid.x)
    for r = 1, grid.height do grid.z[r] = reversed(grid.z[r]) end
  end
  if grid.height > 1 and grid.y[2] < grid.y[1] then grid.y, grid.z = reversed(grid.y), reversed(grid.z) end
  return grid
end

-- ---- levels ----

local function log_levels(low, high, n)
  local out = {}
  local decades = math.log(high / low, 10)
  local every = math.max(1, math.ceil(decades / n))
  local parts = decades >= 3 and {1} or decades >= 1 and {1, 2, 5} or {1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9}
  for k = math.floor(math.log(low, 10)) - 1, math.ceil(math.log(high, 10)) do
    for _, m in ipairs(parts) do
      local v = tonumber(("%.12g"):format(m * 10.0 ^ k))
      if v > low and v < high and k % every == 0 then out[#out + 1] = v end
    end
  end
  return out
end

-- About n round numbers between two others.
local function round_levels(low, high, n)
  local step = (high - low) / (n + 1)
  local power = 10.0 ^ math.floor(math.log(step, 10))
  for _, m in ipairs{1, 2, 2.5, 5, 10} do
    if m * power >= step * (1 - 1e-9) then
      step = m * power
      break
    end
  end
  local out = {}
  for k = math.ceil(low / step), math.floor(high / step) do
    local v = tonumber(("%.12g"):format(k * step))
    if v > low and v < high then out[#out + 1] = v end
  end
  return out
end

local function levels_of(o, context, low, high)
  if type(o.levels) == "table" then
    local list = table.move(o.levels, 1, #o.levels, 1, {})
    table.sort(list)
    return list
  end
  if high - low <= 1e-12 * math.max(math.abs(low), math.abs(high)) then return {} end
  return (context:is_log("value") and log_levels or round_levels)(low, high, o.levels or 8)
end

-- ---- lines and their labels ----

-- Where a number stands best on a line: where it runs level, not at its ends and away from the numbers that
-- are there already. Lengths are shares of the panel. nil for a line too short for a number.
local function label_place(line, grid, taken)
  local sx, sy = 1 / math.max(grid.reach_x, 1e-300), 1 / math.max(grid.reach_y, 1e-300)
  local at, length = {0}, 0
  for i = 2, #line.x do
    length = length + math.sqrt(((line.x[i] - line.x[i - 1]) * sx) ^ 2
      + ((line.y[i] - line.y[i - 1]) * sy) ^ 2)
    at[i] = length
  end
  if length < 0.3 then return nil end
  local best, place = math.huge, nil
  for i = 2, #line.x - 1 do
    local middle = math.abs(at[i] / length - 0.5)
    local dx, dy = (line.x[i + 1] - line.x[i - 1]) * sx, (line.y[i + 1] - line.y[i - 1]) * sy
    local slope = math.abs(dy) / (math.abs(dx) + math.abs(dy) + 1e-300)
    local x, y = (line.x[i] - grid.x[1]) * sx, (line.y[i] - grid.y[1]) * sy
    local free = x > 0.05 and x < 0.95 and y > 0.04 and y < 0.96 and (line.closed or middle < 0.4)
    for _, other in ipairs(taken) do
      free = free and (math.abs(other[1] - x) > 0.13 or math.abs(other[2] - y) > 0.06)
    end
    local score = slope + (line.closed and 0 or 0.5 * middle)
    if free and score < best then best, place = score, {x, y, i} end
  end
  if place then taken[#taken + 1] = place end
  return place and place[3]
end

-- What one contour line is called: as many digits as tell its level from the others.
local function level_text(v, step)
  for digits = 3, 12 do
    local text = ("%%.%dg"):format(digits):format(v)
    if math.abs(tonumber(text) - v) <= 1e-3 * step then return style.minus(text) end
  end
  return style.minus(("%.12g"):format(v))
end

local function least_step(levels)
  local step = math.huge
  for i = 2, #levels do step = math.min(step, levels[i] - levels[i - 1]) end
  return step < math.huge and step or math.max(math.abs(levels[1] or 1), 1e-300)
end

local function line_elements(o, context, label, grid, levels)
  local segments, names, taken = {}, {{}, {}, {}}, {}
  local step = least_step(levels)
  for _, level in ipairs(levels) do
    for _, line in ipairs(isolines.trace(grid, level)) do
      local values = {}
      for i = 1, #line.x do values[i] = level end
      segments[#segments + 1] = {line.x, line.y, values}
      local i = o.labels and label_place(line, grid, taken)
      if i then
        for c, v in ipairs{line.x[i], line.y[i], level_text(level, step)} do table.insert(names[c], v) end
      end
    end
  end
  local own = o.color or o.filled
  local line = own and series.pen({color = o.color or "#303030", dash = o.dash or 1,
    linewidth = o.linewidth or (o.filled and 0.6 or 1.5), alpha = o.alpha}, context)
    or ("lc palette lw %g%s"):format(o.linewidth or 1.8, o.dash and " dt 1" or "")
  local block = {names = {"x", "y", "value"}, segments = segments}
  local legend = o.name and {name = o.name, code = "with lines " .. line:gsub("lc palette", "lc rgb gray")}
  local elements = {{layer = layers.line, block = block, using = own and "1:2" or "1:2:3",
    code = "with lines " .. line, legend = legend}}
  if #names[1] > 0 then
    context:textbox()
    elements[2] = {layer = layers.label, using = "1:2:3",
      block = {title = label .. ", numbers", names = {"x", "y", "text"}, segments = {names}},
      code = function(built, as_text)
        return as_text and "with labels" or ('with labels boxed noenhanced font ",%.3g"'):format(10
          * built.font_unit)
      end}
  end
  return elements
end

-- ---- regions ----

-- The grid inside a rim of nodes that are outside of the region.
local function inside_rim(grid)
  local outside = -math.huge
  local out = {width = grid.width + 2, height = grid.height + 2, closed = true, x = {grid.x[1]},
    y = {grid.y[1]}, z = {}}
  for c = 1, grid.width do out.x[c + 1] = grid.x[c] end
  for r = 1, grid.height do out.y[r + 1] = grid.y[r] end
  out.x[out.width], out.y[out.height] = grid.x[grid.width], grid.y[grid.height]
  for r = 1, out.height do
    out.z[r] = {}
    for c = 1, out.width do out.z[r][c] = grid.z[r - 1] and grid.z[r - 1][c - 1] or outside end
  end
  return out
end

-- One colour for what lies between a level and the next.
local function band_colors(o, context, levels)
  local low, high, log = context.colors.low, context.colors.high, context.axes.zlog
  local stops, colors, parts = style.palette_stops(o.palette), {}, {}
  for k = 0, #levels do
    local a = k == 0 and 0 or style.share(levels[k], low, high, log)
    local b = k == #levels and 1 or style.share(levels[k + 1], low, high, log)
    colors[k] = style.hex(style.mix(stops, 0.5 * (a + b)))
    if b > a then
      parts[#parts + 1] = ("%.6g '%s', %.6g '%s'"):format(a, colors[k], b, colors[k])
    end
  end
  return colors, "defined (" .. table.concat(parts, ", ") .. ")"
end

-- Closed lines do not cross, so whatever lies inside of another is smaller: larger ones first, each with the
-- colour of what is just inside of it.
local function region_elements(o, context, label, grid, levels)
  local rim, loops = inside_rim(grid), {}
  local colors, palette = band_colors(o, context, levels)
  context.colors.name = palette
  if #levels > 1 and #levels <= 12 then context.colors.marks = levels end
  for k = 0, #levels do
    for _, line in ipairs(isolines.trace(rim, k == 0 and -math.huge or levels[k])) do
      local area = isolines.area(line)
      loops[#loops + 1] = {line = line, size = math.abs(area), level = k, hole = area < 0}
    end
  end
  table.sort(loops, function(a, b)
    if a.size ~= b.size then return a.size > b.size end
    if a.hole ~= b.hole then return b.hole end
    if a.level ~= b.level then return (a.level < b.level) ~= a.hole end
    return a.line.x[1] < b.line.x[1] or a.line.x[1] == b.line.x[1] and a.line.y[1] < b.line.y[1]
  end)
  -- gnuplot draws a colour box when something has its colours; this is below the regions
  local elements, last = {{layer = layers.image, using = "1:2:3", code = "with dots lc palette",
    block = {title = label .. ", for the colour box", names = {"x", "y", "value"},
      segments = {{{grid.x[1]}, {grid.y[1]}, {context.colors.low}}}}}}, nil
  for _, loop in ipairs(loops) do
    local color = colors[loop.hole and loop.level - 1 or loop.level]
    local code = ("with filledcurves closed lc rgb '%s' fs solid 1 noborder"):format(color or "#FFFFFF")
    if loop.size > 0 and not (last and last.code == code) then
      last = {layer = layers.image, using = "1:2", code = code, block = {title = label .. ", regions",
        names = {"x", "y"}, segments = {}}}
      elements[#elements + 1] = last
    end
    if loop.size > 0 then table.insert(last.block.segments, {loop.line.x, loop.line.y}) end
  end
  return elements
end

local function good_levels(v)
  local good = type(v) ~= "table" and v >= 1 and v <= 1000
  if type(v) == "table" then
    good = #v > 0
    for i = 1, #v do good = good and math.type(v[i]) ~= nil and options.finite(v[i]) end
  end
  return good, "about how many (1..1000), or a list of values"
end

series.kinds.contour = {
  usage = "{z = matrix}",
  spec = series.with_pen({
    z = {"any", required = true},           -- rows of numbers, the first at the bottom
    x = {"any"}, y = {"any"},               -- {first, last} or all coordinates of columns and rows
    levels = {"integer|table", check = good_levels}, -- about how many, or which
    filled = {"boolean", default = false},  -- the regions between the lines in colours
    labels = {"boolean"},                   -- numbers on the lines; nil: unless filled
    palette = style.palette_option,
    range = {"table", check = options.pair}, -- values at the ends of the palette
  }, {"name", "color", "dash", "linewidth", "alpha"}),
  build = function(o, context, label)
    o = setmetatable({}, {__index = o})
    if o.labels == nil then o.labels = not o.filled end
    local grid = grid_of(o, context, label)
    context:tight()
    if #grid.values == 0 then return {} end
    context:see("x", grid.x)
    context:see("y", grid.y)
    grid.reach_x = grid.x[grid.width] - grid.x[1]
    grid.reach_y = grid.y[grid.height] - grid.y[1]
    if not o.color or o.filled then context:palette(o.palette, o.range, grid.values) end
    local low, high = stats.extent{grid.values}
    local levels = levels_of(o, context, low, high)
    if low == high then context:remark(("%s: %g everywhere"):format(label, low)) end
    local elements = o.filled and region_elements(o, context, label, grid, levels) or {}
    for _, element in ipairs(line_elements(o, context, label, grid, levels)) do
      elements[#elements + 1] = element
    end
    return elements
  end,
}

return contour
