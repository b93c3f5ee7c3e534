--- One pair of axes: collects series, works out ranges, ticks and legend, and writes its part of the script.

local options = require "tide.base.options"
local series = require "tide.plot.series"
local style = require "tide.plot.style"
require "tide.plot.flows"

local panel = {}

local function pair(v)
  return #v == 2 and math.type(v[1]) ~= nil and math.type(v[2]) ~= nil and options.finite(v[1])
    and options.finite(v[2]) and v[1] ~= v[2], "{low, high}"
end
local legends = {"above", "none", "top left", "top right", "bottom left", "bottom right"}

local function tick_positions(v)
  local good = true
  for i = 1, type(v) == "table" and #v or 0 do
    local at = type(v[i]) == "table" and v[i][2] ~= nil and v[i][1] or v[i]
    good = good and type(at) == "number" and options.finite(at)
  end
  return good, 'true, false, or a list of numbers and {number, "text"}'
end

panel.axes_spec = {
  -- zlabel: of the colour box
  title = {"string"}, xlabel = {"string"}, ylabel = {"string"}, zlabel = {"string"},
  xlog = {"boolean", default = false}, ylog = {"boolean", default = false},
  xrange = {"table", check = pair}, yrange = {"table", check = pair},
  ratio = {"number|string", check = function(v)
    return v == "equal" or v == "square" or (math.type(v) ~= nil and options.positive(v)),
      'a number > 0 (height over width), "equal" (equal units) or "square" (equal units in a square box)'
  end},
  legend = {"string", default = "above", check = options.one_of(legends)},
  -- gnuplot's own in title, labels and ticks: x_1, 10^{-3}, {/Symbol a}
  markup = {"boolean", default = false},
  -- false: none; {0, 1} or {{0, "zero"}, ...}
  xticks = {"boolean|table", check = tick_positions}, yticks = {"boolean|table", check = tick_positions},
  pad = {"boolean"}, -- room between data and axes; nil: where points or trajectories would touch them
  grid = {"boolean"},     -- nil: unless a field or an image fills the panel
  colorbox = {"boolean", default = true},
}

local BOTTOM = 1e-306 -- of a log axis, for what reaches down to minus infinity

-- A range around what does not differ.
local function room_around(low, high)
  local room = 0.1 * math.max(math.abs(low), math.abs(high))
  if room < 1e-305 then room = 1 end
  return low - room, high + room
end

local function has_rows(block)
  for _, segment in ipairs(block.segments) do if #segment[1] > 0 then return true end end
  return false
end

-- What the series of a panel tell it while they are built.
local Context = {}
Context.__index = Context

function Context.fail(_, message) error("plot: " .. message, 0) end

function Context:is_log(name)
  if name == "x" then return self.axes.xlog end
  return self.axes.ylog and (name == "y" or name == "low" or name == "high")
end

-- Which quantities are places, and on which axis.
Context.axis_of = {x = "x", y = "y", low = "y", high = "y"}

function Context:see(axis, values)
  local extent, log = self.extent[axis], self.axes[axis .. "log"]
  for _, v in ipairs(values) do
    v = v + 0.0 -- sums and differences of large integers would wrap
    if options.finite(v) and not (log and v <= BOTTOM) then
      extent[1], extent[2] = math.min(extent[1], v), math.max(extent[2], v)
    end
  end
end

--- Where a log axis of y ends, for what has no lower end: far below all data.
function Context.bottom() return BOTTOM end

--- So many things (points, cells, ...) were given; those that have no place in the picture are told apart by
-- the reason.
function Context:count(label, noun, n)
  if n == 0 then self:remark(label .. ": no data") end
  self:tally(noun).total = self:tally(noun).total + n
end

function Context:miss(noun, reason, n)
  local tally = self:tally(noun)
  if not tally.reasons[reason] then table.insert(tally.reasons, reason) end
  tally.reasons[reason] = (tally.reasons[reason] or 0) + (n or 1)
  tally.missing = tally.missing + (n or 1)
end

function Context:tally(noun)
  if not self.tallies[noun] then
    self.tallies[noun] = {total = 0, missing = 0, reasons = {}}
    table.insert(self.tallies, noun)
  end
  return self.tallies[noun]
end

function Context:remark(text)
  if not self.remarks[text] then table.insert(self.remarks, text) end
  self.remarks[text] = true
end

-- What a reader of the picture must know: "3 of 120 points missing: not finite".
function Context:notes()
  local notes = table.move(self.remarks, 1, #self.remarks, 1, {})
  for _, noun in ipairs(self.tallies) do
    local tally = self.tallies[noun]
    if tally.missing > 0 then
      local reasons = {}
      for i, reason in ipairs(tally.reasons) do
        reasons[i] = #tally.reasons > 1 and ("%d %s"):format(tally.reasons[reason], reason) or reason
      end
      notes[#notes + 1] = ("%d of %d %s missing: %s"):format(tally.missing, tally.total, noun,
        table.concat(reasons, ", "))
    end
  end
  return notes
end

function Context:next_style()
  self.styles = self.styles + 1
  return self.styles
end

function Context:palette(name, range, values)
  self:see("color", values)
  local low, high = table.unpack(range or self.extent.color)
  local nothing = low > high and not range -- then a colour box would show numbers that nobody gave
  if nothing then low, high = 0, 1 end
  -- gnuplot would warn
  if high - low <= 1e-12 * math.max(math.abs(low), math.abs(high)) and low <= high then
    low, high = room_around(low, high)
  end
  self.colors = {name = style.palette(name), low = low, high = high, hidden = nothing
    or not self.axes.colorbox}
end

function Context:wants_room()
  if self.axes.pad ~= nil then return self.axes.pad end
  return self.padded
end
function Context:pad() self.padded = true end
function Context:tight() self.fixed = true end
function Context:downwards() self.down = true end
--- Corners of a region in which gaps would look like a colour of the palette.
function Context:hatch(...) self.hatched = {...} end

local function check_ranges(context)
  for _, axis in ipairs{"x", "y"} do
    local range = context.axes[axis .. "range"]
    if range and context.axes[axis .. "log"] and math.min(range[1], range[2]) <= 0 then
      context:fail(("%srange must be > 0 for a log axis, got {%g, %g}"):format(axis, range[1], range[2]))
    end
  end
end

--- Build all series of a panel: {axes, elements, legend entries, ranges, ...}.
function panel.build(axes, list)
  local nothing = {}
  for _, axis in ipairs{"x", "y", "color"} do nothing[axis] = {math.huge, -math.huge} end
  local context = setmetatable({axes = axes, extent = nothing, styles = 0, tallies = {}, remarks = {}},
    Context)
  local built = {axes = axes, elements = {}, entries = {}}
  if #list == 0 then context:fail("a panel has no series; add one with :add(...)") end
  check_ranges(context)
  for i, item in ipairs(list) do
    local label = item.options.name or ("%s %d"):format(item.kind, i)
    for _, element in ipairs(series.kinds[item.kind].build(item.options, context, label)) do
      if element.block and has_rows(element.block) then -- else a line of the legend only
        element.block.title = element.block.title or label
        element.order = #built.elements + 1
        built.elements[element.order] = element
      end
      if element.legend then table.insert(built.entries, element.legend) end
    end
  end
  table.sort(built.elements, function(a, b)
    if a.layer ~= b.layer then return a.layer < b.layer end
    return a.order < b.order
  end)
  built.colors, built.notes, built.hatched = context.colors, context:notes(), context.hatched
  built.blank = #built.elements == 0 -- nothing to draw; empty: nothing that could be drawn either
  built.empty = built.blank and context.extent.x[1] > context.extent.x[2]
  built.range = {x = panel.range(context, "x"), y = panel.range(context, "y")}
  built.extent, built.filled = context.extent, context.fixed
  -- the first row of an image at the top: the axis turns, so that its ticks stay with the rows
  if context.down then
    local range = built.range.y
    built.range.y = {math.max(range[1], range[2]), math.min(range[1], range[2])}
  end
  if axes.ratio == "square" then panel.make_square(built.range) end
  return built
end

--- The range of an axis: the caller's, or the data's with a margin. nil leaves the y axis of plain curves to
-- gnuplot, which rounds it to whole ticks. A constant gets room here, as gnuplot would warn about an empty
-- range.
function panel.range(context, axis)
  local axes = context.axes
  if axes[axis .. "range"] then return axes[axis .. "range"] end
  local low, high = context.extent[axis][1], context.extent[axis][2]
  if low > high then -- nothing to see
    return axes[axis .. "log"] and {1, 10} or {0, 1}
  end
  local constant = high - low <= 1e-12 * math.max(math.abs(low), math.abs(high), 1e-290)
  if axes[axis .. "log"] then
    local factor = constant and 2 or (axis == "x" and not context:wants_room()) and 1 or 1.15
    return {math.max(low / factor, 1e-307), high * factor}
  end
  if constant then return {room_around(low, high)} end
  local margin = 0
  if context.fixed and not axes.pad then
    return {low, high}
  elseif context:wants_room() or type(axes.ratio) == "string" then
    margin = 0.05 * (high - low)
  elseif axis == "y" and math.max(-low, high) < 1e100 then
    return nil
  end
  return {low - margin, high + margin}
end

--- Widen the shorter of two ranges about its middle.
function panel.make_square(range)
  local half = 0.5 * math.max(math.abs(range.x[2] - range.x[1]), math.abs(range.y[2] - range.y[1]))
  for axis, r in pairs(range) do
    local middle, way = 0.5 * (r[1] + r[2]), r[2] > r[1] and 1 or -1
    range[axis] = {middle - way * half, middle + way * half}
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
        ticks[#ticks + 1] = tonumber(("%g"):format(v)) -- 0.2, not 0.20000000000000001
        if m == 1 then powers = powers + 1 end
      end
    end
  end
  if powers >= 2 then return nil, "10^{%T}" end
  if #ticks >= 2 then return ticks, "%g" end
  return nil, "%g"
end

local function tick_list(list, opts)
  local out = {}
  for i, tick in ipairs(list) do
    out[i] = type(tick) == "table" and style.text_of(tick[2], opts) .. " " .. style.number(tick[1])
      or style.number(tick)
  end
  return "(" .. table.concat(out, ", ") .. ")"
end

-- Digits that tell neighbouring ticks apart.
local function tick_digits(low, high, step)
  local largest = math.max(math.abs(low), math.abs(high))
  return math.max(1, math.min(16, math.floor(math.log(math.max(1, largest / step), 10)) + 2))
end

--- Characters of the longest label that an axis of this range may get.
function panel.label_width(low, high)
  local step, longest = 10.0 ^ math.floor(math.log(math.abs(high - low) / 10, 10)), 6
  local form = ("%%.%dg"):format(math.max(6, tick_digits(low, high, step)))
  for _, v in ipairs{low, high, low + step, high - step} do
    v = math.floor(v / step + 0.5) * step
    local text = form:format(v)
    longest = math.max(longest, text:find("e", 1, true) and v ~= 0 and #("%.3g"):format(v) + 3 or #text)
  end
  return longest
end

-- A round step between ticks that leaves each label enough pixels, and the digits that the labels need;
-- gnuplot's own choice crowds small panels and shows six digits, whatever they hide.
local function tick_step(low, high, pixels, upright)
  local power = 10.0 ^ (math.floor(math.log(math.abs(high - low), 10)) - 2)
  while true do
    for _, m in ipairs{1, 2, 5} do
      local step = m * power
      local longest, digits = 0, math.max(6, tick_digits(low, high, step))
      for _, v in ipairs{low, high, low + step, high - step} do
        longest = math.max(longest, #("%%.%dg"):format(digits):format(math.floor(v / step + 0.5) * step))
      end
      local room = upright and 28 or math.max(34, 7.5 * longest + 12)
      if step / math.abs(high - low) * pixels >= room then return step, digits end
    end
    power = 10 * power
  end
end

local function linear_ticks(axis, span, pixels, lines)
  local step, digits = tick_step(span[1], span[2], pixels, axis ~= "x")
  lines[#lines + 1] = ("set %stics %.9g"):format(axis, step)
  if digits > 6 then lines[#lines + 1] = ("set format %s '%%.%dg'"):format(axis, digits) end
end

local function axis_lines(built, axis, lines, as_text)
  local axes, range = built.axes, built.range[axis]
  local label, marks = axes[axis .. "label"], axes[axis .. "ticks"]
  if marks == true then marks = nil end
  if label then
    lines[#lines + 1] = ("set %slabel %s%s"):format(axis,
      style.text_of(label, {markup = axes.markup, raw = as_text}), axis == "x" and " offset 0,0.3" or "")
  end
  -- numbers would say that there is something
  if marks == nil and built.empty and not axes[axis .. "range"] then marks = false end
  if axes[axis .. "log"] then
    lines[#lines + 1] = "set logscale " .. axis
    local automatic, form = log_ticks(range)
    if marks == nil then marks = automatic end
    lines[#lines + 1] = ("set format %s '%s'"):format(axis, as_text and "%g" or form)
  elseif marks == nil and not as_text then
    linear_ticks(axis, range or built.extent[axis], built.box[axis], lines)
  end
  if marks == false then
    lines[#lines + 1] = "unset " .. axis .. "tics"
  elseif type(marks) == "table" then
    lines[#lines + 1] = ("set %stics %s"):format(axis,
      tick_list(marks, {markup = axes.markup, raw = as_text, form = true}))
  end
  if range then lines[#lines + 1] = ("set %srange [%.15g:%.15g]"):format(axis, range[1], range[2]) end
end

local function color_lines(built, lines, as_text)
  local axes, low, high = built.axes, built.colors.low, built.colors.high
  lines[#lines + 1] = "set palette " .. built.colors.name
  lines[#lines + 1] = ("set cbrange [%.15g:%.15g]"):format(low, high)
  if not as_text then linear_ticks("cb", {low, high}, built.box.y, lines) end
  if axes.zlabel then
    lines[#lines + 1] = "set cblabel " .. style.text_of(axes.zlabel, {markup = axes.markup, raw = as_text})
  end
  if built.colors.hidden then lines[#lines + 1] = "unset colorbox" end
end

--- The `set` lines of a panel, without its place in the figure.
function panel.settings(built, as_text)
  local axes, lines = built.axes, {}
  if axes.title then
    lines[1] = "set title " .. style.text_of(axes.title, {markup = axes.markup, raw = as_text})
  end
  axis_lines(built, "x", lines, as_text)
  axis_lines(built, "y", lines, as_text)
  local grid = axes.grid
  if grid == nil then grid = not built.filled end
  if not grid then lines[#lines + 1] = "unset grid" end
  if built.colors then color_lines(built, lines, as_text) end
  if built.empty then
    lines[#lines + 1] = 'set label "no data" at graph 0.5, graph 0.5 center textcolor rgb 0x808080'
  end
  if built.hatched and not as_text then
    lines[#lines + 1] = ("set object rectangle from %.15g, %.15g to %.15g, %.15g behind fillcolor rgb "
      .. "0xA0A0A0 fillstyle pattern 4 noborder"):format(
      table.unpack(built.hatched))
  end
  return lines
end

--- The plot command; `entries` are the lines of the legend to show here.
function panel.plot_command(built, entries, as_text)
  local parts = {}
  for i, element in ipairs(built.elements) do
    parts[i] = ("DATA index %d using %s %s notitle"):format(element.block.index, element.using, element.code)
  end
  if built.blank then parts[1] = "NaN notitle" end -- gnuplot draws no axes without something to plot
  for _, entry in ipairs(entries) do
    parts[#parts + 1] = ("keyentry %s title %s"):format(entry.code,
      style.text_of(entry.name, {raw = as_text}))
  end
  return "plot " .. table.concat(parts, ", \\\n     ")
end

return panel
