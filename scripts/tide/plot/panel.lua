--- One pair of axes: collects series, works out ranges, ticks and legend, and writes its part of the script.

local options = require "tide.options"
local series = require "tide.plot.series"
local style = require "tide.plot.style"
require "tide.plot.flows"

local panel = {}

local function pair(v) return #v == 2 and math.type(v[1]) ~= nil and math.type(v[2]) ~= nil and v[1] ~= v[2], "{low, high}" end
local legends = {"above", "none", "top left", "top right", "bottom left", "bottom right"}

panel.axes_spec = {
  title = {"string"}, xlabel = {"string"}, ylabel = {"string"}, zlabel = {"string"}, -- zlabel: of the colour box
  xlog = {"boolean", default = false}, ylog = {"boolean", default = false},
  xrange = {"table", check = pair}, yrange = {"table", check = pair},
  ratio = {"number|string", check = function(v)
    return v == "equal" or v == "square" or (math.type(v) ~= nil and v > 0),
      'a number > 0 (height over width), "equal" (equal units) or "square" (equal units in a square box)'
  end},
  legend = {"string", default = "above", check = options.one_of(legends)},
  xticks = {"boolean|table"}, yticks = {"boolean|table"}, -- false: none; {0, 1} or {{0, "zero"}, ...}
  pad = {"boolean"}, -- room between data and axes; nil: where points or trajectories would touch them
  grid = {"boolean"},     -- nil: unless a field or an image fills the panel
  colorbox = {"boolean", default = true},
}

-- What the series of a panel tell it while they are built.
local Context = {}
Context.__index = Context

function Context.fail(_, message) error("plot: " .. message, 0) end

function Context:is_log(name)
  if name == "x" then return self.axes.xlog end
  return self.axes.ylog and (name == "y" or name == "low" or name == "high")
end

function Context:see(axis, values)
  local extent, log = self.extent[axis], self.axes[axis .. "log"]
  for _, v in ipairs(values) do
    if options.finite(v) and not (log and v <= 0) then
      extent[1], extent[2] = math.min(extent[1], v), math.max(extent[2], v)
    end
  end
end

function Context:next_style()
  self.styles = self.styles + 1
  return self.styles
end

function Context:palette(name, range, values)
  self:see("color", values)
  local low, high = table.unpack(range or self.extent.color)
  if low == high then low, high = low - 0.5, high + 0.5 end -- gnuplot would warn
  self.colors = {name = style.palette(name), low = low, high = high}
end

function Context:wants_room()
  if self.axes.pad ~= nil then return self.axes.pad end
  return self.padded
end
function Context:pad() self.padded = true end
function Context:tight() self.fixed = true end

--- Build all series of a panel: {axes, elements, legend entries, ranges, ...}.
function panel.build(axes, list)
  local nothing = {}
  for _, axis in ipairs{"x", "y", "color"} do nothing[axis] = {math.huge, -math.huge} end
  local context = setmetatable({axes = axes, extent = nothing, styles = 0}, Context)
  local built = {axes = axes, elements = {}, entries = {}}
  if #list == 0 then context:fail("a panel has no series; add one with :add(...)") end
  for i, item in ipairs(list) do
    local label = item.options.name or ("%s %d"):format(item.kind, i)
    for _, element in ipairs(series.kinds[item.kind].build(item.options, context, label)) do
      if element.block then -- else a line of the legend only
        element.block.title = element.block.title or label
        element.order = #built.elements + 1
        built.elements[element.order] = element
      end
      if element.legend then table.insert(built.entries, element.legend) end
    end
  end
  if #built.elements == 0 then context:fail("a panel has no data to draw") end
  table.sort(built.elements, function(a, b)
    if a.layer ~= b.layer then return a.layer < b.layer end
    return a.order < b.order
  end)
  built.colors = context.colors
  built.range = {x = panel.range(context, "x"), y = panel.range(context, "y")}
  built.extent, built.filled = context.extent, context.fixed
  if axes.ratio == "square" then panel.make_square(built.range) end
  return built
end

--- The range of an axis: the caller's, or the data's with a margin. nil leaves the y axis of plain curves to gnuplot, which rounds
-- it to whole ticks. A constant gets room here, as gnuplot would warn about an empty range.
function panel.range(context, axis)
  local axes = context.axes
  if axes[axis .. "range"] then return axes[axis .. "range"] end
  local low, high = context.extent[axis][1], context.extent[axis][2]
  if axes[axis .. "log"] then
    local factor = (low == high) and 2 or (axis == "x" and not context:wants_room()) and 1 or 1.15
    return {low / factor, high * factor}
  end
  if high - low <= 1e-12 * math.max(math.abs(low), math.abs(high)) then
    local room = low == 0 and 1 or 0.1 * math.abs(low)
    return {low - room, high + room}
  end
  local margin = 0
  if context.fixed and not axes.pad then
    return {low, high}
  elseif context:wants_room() or type(axes.ratio) == "string" then
    margin = 0.05 * (high - low)
  elseif axis == "y" then
    return nil
  end
  return {low - margin, high + margin}
end

--- Widen the shorter of two ranges about its middle.
function panel.make_square(range)
  local spans = {x = range.x[2] - range.x[1], y = range.y[2] - range.y[1]}
  local half = 0.5 * math.max(spans.x, spans.y)
  for axis, r in pairs(range) do
    local middle = 0.5 * (r[1] + r[2])
    range[axis] = {middle - half, middle + half}
  end
end

--- Height over width of the plot's box, or nil when any will do.
function panel.box_ratio(built)
  local ratio = built.axes.ratio
  if ratio == "square" then return 1 end
  if ratio == "equal" then
    local x, y = built.range.x, built.range.y
    return math.abs(y[2] - y[1]) / math.abs(x[2] - x[1])
  end
  return ratio
end

-- Labels 1, 2, 5 when a log axis spans too little for powers of ten.
local function log_ticks(range)
  local low, high = math.min(range[1], range[2]), math.max(range[1], range[2])
  local powers, ticks = 0, {}
  for k = math.floor(math.log(low, 10)) - 1, math.ceil(math.log(high, 10)) + 1 do
    for _, m in ipairs{1, 2, 5} do
      local v = m * 10.0 ^ k
      if v >= low * (1 - 1e-9) and v <= high * (1 + 1e-9) then
        ticks[#ticks + 1] = ("%g"):format(v)
        if m == 1 then powers = powers + 1 end
      end
    end
  end
  if powers >= 2 then return nil, "10^{%T}" end
  if #ticks >= 2 then return ticks, "%g" end
  return nil, "%g"
end

local function tick_list(ticks)
  local out = {}
  for i, tick in ipairs(ticks) do
    out[i] = type(tick) == "table" and ("%s %.9g"):format(style.quote(tick[2]), tick[1]) or
      (type(tick) == "number" and ("%.9g"):format(tick) or tick)
  end
  return "(" .. table.concat(out, ", ") .. ")"
end

-- A round step between ticks that leaves each label enough pixels; gnuplot's own choice crowds small panels.
local function tick_step(low, high, pixels, upright)
  local power = 10.0 ^ (math.floor(math.log(math.abs(high - low), 10)) - 2)
  while true do
    for _, m in ipairs{1, 2, 5} do
      local step = m * power
      local longest = 0
      for _, v in ipairs{low, high, low + step, high - step} do
        longest = math.max(longest, #("%g"):format(math.floor(v / step + 0.5) * step))
      end
      local room = upright and 28 or math.max(34, 7.5 * longest + 12)
      if step / math.abs(high - low) * pixels >= room then return step end
    end
    power = 10 * power
  end
end

local function axis_lines(built, axis, lines, as_text)
  local axes, range = built.axes, built.range[axis]
  local label, ticks = axes[axis .. "label"], axes[axis .. "ticks"]
  if label then
    lines[#lines + 1] = ("set %slabel %s%s"):format(axis, style.quote(label), axis == "x" and " offset 0,0.3" or "")
  end
  if axes[axis .. "log"] then
    lines[#lines + 1] = "set logscale " .. axis
    local automatic, form = log_ticks(range)
    if ticks == nil then ticks = automatic end
    lines[#lines + 1] = ("set format %s '%s'"):format(axis, as_text and "%g" or form)
  elseif ticks == nil and not as_text then
    local span = range or built.extent[axis]
    lines[#lines + 1] = ("set %stics %.9g"):format(axis, tick_step(span[1], span[2], built.box[axis], axis == "y"))
  end
  if ticks == false then
    lines[#lines + 1] = "unset " .. axis .. "tics"
  elseif type(ticks) == "table" then
    lines[#lines + 1] = ("set %stics %s"):format(axis, tick_list(ticks))
  end
  if range then lines[#lines + 1] = ("set %srange [%.9g:%.9g]"):format(axis, range[1], range[2]) end
end

--- The `set` lines of a panel, without its place in the figure.
function panel.settings(built, as_text)
  local axes, lines = built.axes, {}
  if axes.title then lines[1] = "set title " .. style.quote(axes.title) end
  axis_lines(built, "x", lines, as_text)
  axis_lines(built, "y", lines, as_text)
  local grid = axes.grid
  if grid == nil then grid = not built.filled end
  if not grid then lines[#lines + 1] = "unset grid" end
  if built.colors then
    lines[#lines + 1] = "set palette " .. built.colors.name
    local low, high = built.colors.low, built.colors.high
    lines[#lines + 1] = ("set cbrange [%.9g:%.9g]"):format(low, high)
    if not as_text then
      lines[#lines + 1] = ("set cbtics %.9g"):format(tick_step(low, high, built.box.y, true))
    end
    if axes.zlabel then lines[#lines + 1] = "set cblabel " .. style.quote(axes.zlabel) end
    if not axes.colorbox then lines[#lines + 1] = "unset colorbox" end
  end
  return lines
end

--- The plot command; `entries` are the lines of the legend to show here.
function panel.plot_command(built, entries)
  local parts = {}
  for i, element in ipairs(built.elements) do
    parts[i] = ("DATA index %d using %s %s notitle"):format(element.block.index, element.using, element.code)
  end
  for _, entry in ipairs(entries) do
    parts[#parts + 1] = ("keyentry %s title %s"):format(entry.code, style.quote(entry.name))
  end
  return "plot " .. table.concat(parts, ", \\\n     ")
end

return panel
