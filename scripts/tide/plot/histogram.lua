--- Histograms: how many values lie in which stretch of an axis. See series.lua for what an element is.
--
-- The histograms of one panel share their bins, so that they can be compared; one with bins or a range of its
-- own has its own.

local options = require "tide.base.options"
local series = require "tide.plot.series"
local stats = require "tide.base.stats"
local style = require "tide.plot.style"

local MOST = 200 -- bins that are chosen here; more could not be told apart

-- ---- bins ----

-- As many bins as the larger of Sturges's and of Freedman and Diaconis's rule (1981) asks for.
local function automatic(sorted)
  local n, reach = #sorted, sorted[#sorted] - sorted[1]
  local sturges = math.ceil(math.log(n, 2) + 1)
  local width = 2 * (stats.quantile(sorted, 0.75) - stats.quantile(sorted, 0.25)) / n ^ (1 / 3)
  local many = width > 0 and math.min(math.ceil(math.min(reach / width, MOST)), MOST) or 1
  return math.min(math.max(sturges, many), MOST)
end

-- Whole numbers that are few get a bin each.
local function few_whole_numbers(sorted)
  if sorted[#sorted] - sorted[1] > 50 then return false end
  for _, v in ipairs(sorted) do if v % 1 ~= 0 then return false end end
  return true
end

local function even(low, high, n, log)
  local edges = {low}
  local from, to = log and math.log(low) or low, log and math.log(high) or high
  for i = 1, n - 1 do
    local v = from + (to - from) * (i / n)
    edges[i + 1] = log and math.exp(v) or v
  end
  edges[n + 1] = high
  return edges
end

-- The edges of the bins for all values of the panel that share them.
local function edges_of(values, o, log)
  if type(o.bins) == "table" then return table.move(o.bins, 1, #o.bins, 1, {}) end
  if #values == 0 and not o.range then return {} end
  local low, high
  if o.range then
    low, high = math.min(table.unpack(o.range)), math.max(table.unpack(o.range))
  else
    table.sort(values)
    low, high = values[1], values[#values]
    if not o.bins and not log and few_whole_numbers(values) then
      return even(low - 0.5, high + 0.5, math.tointeger(high - low + 1))
    end
    if low == high and log then low, high = low / 2, high * 2 end
    if low == high then
      local room = math.max(0.5, math.abs(low) * 1e-9)
      low, high = low - room, high + room
    end
  end
  local inside = {}
  if not o.bins then
    for _, v in ipairs(values) do
      if v >= low and v <= high then inside[#inside + 1] = log and math.log(v) or v end
    end
    table.sort(inside)
  end
  return even(low, high, o.bins or #inside > 0 and automatic(inside) or 1, log)
end

-- The bin of a value; the last one has both its ends. nil when it lies in none.
local function bin_of(edges, v)
  local n = #edges - 1
  if not (v >= edges[1] and v <= edges[n + 1]) then return nil end
  local low, high = 1, n
  while low < high do
    local middle = (low + high + 1) // 2
    if v >= edges[middle] then low = middle else high = middle - 1 end
  end
  return low
end

-- ---- counts ----

local function gather(context, label, o)
  local x = series.column(context, label, "x", o.x)
  local weights = o.weights ~= nil and series.column(context, label, "weights", o.weights, #x)
  local part = {label = label, o = o, values = {}, weights = {}}
  for i, v in ipairs(x) do
    local reason = series.trouble(v, context.axes.xlog) or weights and series.trouble(weights[i])
    if reason then
      context:miss("values", reason)
    else
      table.insert(part.values, v + 0.0)
      table.insert(part.weights, weights and weights[i] or 1)
    end
  end
  context:count(label, "values", #x)
  return part
end

local function count(context, part)
  part.heights, part.total = {}, 0
  for i = 1, #part.edges - 1 do part.heights[i] = 0 end
  for i, v in ipairs(part.values) do
    local bin = #part.edges > 1 and bin_of(part.edges, v)
    if bin then
      part.heights[bin] = part.heights[bin] + part.weights[i]
      part.total = part.total + part.weights[i]
    else
      context:miss("values", "outside of the bins")
    end
  end
end

local function same(a, b)
  for i = 1, math.max(#a, #b) do if a[i] ~= b[i] then return false end end
  return true
end

-- Stacked ones stand on those before them, and have the area 1 together.
local function stack(context, parts)
  local base, total
  for _, part in ipairs(parts) do
    if part.o.stacked then
      if base and not same(base.edges, part.edges) then
        context:fail(('series "%s": stacked histograms need the same bins'):format(part.label))
      end
      base, total = base or part, (total or 0) + part.total
    end
  end
  local floor = {}
  for _, part in ipairs(parts) do
    part.floor = {}
    for i, height in ipairs(part.heights) do
      if part.o.density then
        local area = (part.o.stacked and total or part.total) * (part.edges[i + 1] - part.edges[i])
        height = area ~= 0 and height / area or 0
      end
      part.floor[i] = part.o.stacked and floor[i] or 0
      part.heights[i] = part.floor[i] + height
      if part.o.stacked then floor[i] = part.heights[i] end
    end
  end
end

-- All histograms of the panel, counted when the first of them is built.
local function counted(context)
  if context.histograms then return context.histograms end
  local parts, found, values, shared = {}, {}, {}, {}
  for i, item in ipairs(context.list) do
    if item.kind == "histogram" then
      local o = item.options
      local part = gather(context, o.name or ("histogram %d"):format(i), o)
      parts[#parts + 1], found[o] = part, part
      table.move(part.values, 1, #part.values, #values + 1, values)
      shared.bins, shared.range = shared.bins or o.bins, shared.range or o.range
    end
  end
  local log = context.axes.xlog
  for _, part in ipairs(parts) do
    local own = {bins = part.o.bins or shared.bins, range = part.o.range or shared.range}
    part.edges = edges_of(values, own, log)
    count(context, part)
  end
  stack(context, parts)
  context.histograms = found
  return found
end

-- ---- drawing ----

-- The upper and the lower edge of the bars as one path: {x, low, high}.
local function path_of(context, part)
  local bottom = context.axes.ylog and context:bottom()
  local cols = {{}, {}, {}}
  for i, height in ipairs(part.heights) do
    for side = 0, 1 do
      local low, high = part.floor[i], height
      if bottom then low, high = math.max(low, bottom), math.max(high, bottom) end
      for c, v in ipairs{part.edges[i + side], low, high} do table.insert(cols[c], v) end
    end
  end
  return cols
end

-- The upper edge with an upright stroke at each end.
local function outline(cols)
  local n = #cols[1]
  local x, y = {cols[1][1]}, {cols[2][1]}
  for i = 1, n do x[i + 1], y[i + 1] = cols[1][i], cols[3][i] end
  x[n + 2], y[n + 2] = cols[1][n], cols[2][n]
  return {x, y}
end

local function good_bins(v)
  local good = type(v) ~= "table" and v >= 1 and v <= 100000
  if type(v) == "table" then
    good = #v > 1
    for i = 1, #v do
      good = good and math.type(v[i]) ~= nil and options.finite(v[i]) and (i == 1 or v[i] > v[i - 1])
    end
  end
  return good, "a number of bins in 1..100000, or a list of their edges in ascending order"
end

series.kinds.histogram = {
  usage = "{x = values}",
  spec = series.with_pen({
    x = {"any", required = true},
    bins = {"integer|table", check = good_bins}, -- their number or edges; nil: chosen from the data
    range = {"table", check = options.pair},     -- of the bins; nil: that of the data
    density = {"boolean", default = false},      -- the area is 1
    weights = {"any"},                           -- what each value counts
    stacked = {"boolean", default = false},      -- on top of the stacked ones before it
    step = {"boolean", default = false},         -- the outline alone
    opacity = {"number", check = options.between(0, 1)}, -- nil: 0.35, stacked 0.8
    linewidth = {"number", default = 1.5, check = options.positive},
  }, {"name", "color", "style", "dash", "linewidth", "alpha"}),
  build = function(o, context)
    local part = counted(context)[o]
    local line, lt = series.pen({name = o.name, color = o.color, style = o.style, linewidth = o.linewidth,
      alpha = o.alpha, dash = o.dash or not o.step and 1 or nil}, context)
    context:default("ylabel", o.density and "density" or o.weights ~= nil and "weight" or "count")
    local fill = ("with filledcurves lc rgb %s fs transparent solid %.2f noborder"):format(
      style.color(o.color or lt), o.opacity or o.stacked and 0.8 or 0.35)
    local legend = o.name and {name = o.name, code = o.step and "with lines " .. line or fill}
    if #part.edges < 2 or #part.values == 0 then return {{legend = legend}} end
    local cols = path_of(context, part)
    if context.axes.ylog then -- bars that stand out from the end of the axis
      local least = math.huge
      for _, v in ipairs(cols[3]) do if v > context:bottom() then least = math.min(least, v) end end
      context:see("y", {0.5 * least})
    end
    context:see("x", cols[1])
    context:see("y", cols[2])
    context:see("y", cols[3])
    local bars = {layer = series.layers.band, using = "1:2:3", code = fill, legend = legend,
      block = {title = part.label, names = {"x", "low", "high"}, segments = {cols}}}
    local edge = {layer = series.layers.line, using = "1:2", code = "with lines " .. line,
      block = {title = part.label .. ", outline", names = {"x", "y"}, segments = {outline(cols)}}}
    if not o.step then return {bars, edge} end
    edge.legend = legend
    return {edge}
  end,
}
