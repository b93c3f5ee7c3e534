--- One pair of axes: collects series, works out ranges, ticks and legend, and writes its part of the script.

local Context = require "tide.plot.context"
local options = require "tide.base.options"
local series = require "tide.plot.series"
local style = require "tide.plot.style"
local ticks = require "tide.plot.ticks"
require "tide.plot.cells"
require "tide.plot.contour"
require "tide.plot.errorbar"
require "tide.plot.flows"
require "tide.plot.histogram"
require "tide.plot.space"
require "tide.plot.streams"

local panel = {}

local pair = options.pair
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
  zlog = {"boolean", default = false}, -- logarithmic colours
  zrange = {"table", check = pair},    -- values at the ends of the palette
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

local function has_rows(block)
  for _, segment in ipairs(block.segments) do if #segment[1] > 0 then return true end end
  return false
end

local function check_ranges(context)
  for _, axis in ipairs{"x", "y"} do
    local range = context.axes[axis .. "range"]
    if range and context.axes[axis .. "log"] and math.min(range[1], range[2]) <= 0 then
      context:fail(("%srange must be > 0 for a log axis, got {%g, %g}"):format(axis, range[1], range[2]))
    end
  end
end

-- What is drawn in perspective and what is not cannot share a panel.
local function check_space(context, list)
  for _, item in ipairs(list) do
    if series.kinds[item.kind].in_space ~= series.kinds[list[1].kind].in_space then
      context:fail(("a panel cannot hold %s and %s: one of them is drawn in space"):format(list[1].kind,
        item.kind))
    end
  end
end

-- The caller's axes, and where those are silent what the series ask for.
local function with_defaults(axes, defaults)
  return setmetatable({}, {__index = function(_, key)
    if axes[key] ~= nil then return axes[key] end
    return defaults[key]
  end})
end

--- Build all series of a panel: {axes, elements, legend entries, ranges, ...}.
function panel.build(axes, list)
  local context = Context.new(axes, list)
  local built = {axes = with_defaults(axes, context.defaults), elements = {}, entries = {}}
  if #list == 0 then context:fail("a panel has no series; add one with :add(...)") end
  check_space(context, list)
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
  built.turnable, built.boxed, built.view = context.turnable, context.boxed, context.view
  built.mesh = context.mesh
  built.blank = #built.elements == 0 -- nothing to draw; empty: nothing that could be drawn either
  built.empty = built.blank and context.extent.x[1] > context.extent.x[2]
  built.range = {x = panel.range(context, "x"), y = panel.range(context, "y")}
  built.extent, built.filled = context.extent, context.fixed
  if built.view then built.range.z = panel.range(context, "z") or context.extent.z end
  -- the first row of an image at the top: the axis turns, so that its ticks stay with the rows
  if context.down then
    local range = built.range.y
    built.range.y = {math.max(range[1], range[2]), math.min(range[1], range[2])}
  end
  if built.axes.ratio == "square" then panel.make_square(built.range) end
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
  if constant then return {Context.room_around(low, high)} end
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
    local automatic, form = ticks.log(range)
    if marks == nil then marks = automatic end
    lines[#lines + 1] = ("set format %s '%s'"):format(axis, as_text and "%g" or form)
  elseif marks == nil and not as_text then
    ticks.linear(axis, range or built.extent[axis], built.box[axis], lines)
  end
  if marks == false then
    lines[#lines + 1] = "unset " .. axis .. "tics"
  elseif type(marks) == "table" then
    lines[#lines + 1] = ("set %stics %s%s"):format(axis,
      ticks.list(marks, {markup = axes.markup, raw = as_text, form = true}),
      axis == "x" and built.turned and " rotate by 40 right" or "")
  end
  if range then lines[#lines + 1] = ("set %srange [%.15g:%.15g]"):format(axis, range[1], range[2]) end
end

-- A panel in space: from where it is seen, and its third axis.
local function space_lines(built, lines, as_text)
  local axes, range = built.axes, built.range.z
  lines[#lines + 1] = ("set view %.6g,%.6g; set xyplane 0.08; set border 31 lc rgb 0x404040 lw 1"):format(
    built.view[1], built.view[2])
  lines[#lines + 1] = "set pm3d depthorder " .. (built.mesh and "border lc rgb 0x404040 lw 0.4" or "noborder")
  for _, axis in ipairs{"x", "y", "z"} do
    local label = axes[axis .. "label"]
    if label then
      lines[#lines + 1] = ("set %slabel %s%s"):format(axis, style.text_of(label, {markup = axes.markup,
        raw = as_text}), axis == "z" and " rotate by 90" or "")
    end
  end
  lines[#lines + 1] = ("set zrange [%.15g:%.15g]"):format(range[1], range[2])
  if not as_text then ticks.linear("z", range, built.box.y, lines) end
end

local function color_lines(built, lines, as_text)
  local axes, low, high = built.axes, built.colors.low, built.colors.high
  lines[#lines + 1] = "set palette " .. built.colors.name
  lines[#lines + 1] = ("set cbrange [%.15g:%.15g]"):format(low, high)
  if axes.zlog then
    local marks, form = ticks.log{low, high}
    lines[#lines + 1] = "set logscale cb"
    lines[#lines + 1] = ("set format cb '%s'"):format(as_text and "%g" or form)
    if marks then lines[#lines + 1] = "set cbtics " .. ticks.list(marks, {}) end
  elseif built.colors.marks then
    lines[#lines + 1] = "set cbtics " .. ticks.list(built.colors.marks, {})
  elseif not as_text then
    ticks.linear("cb", {low, high}, built.box.y, lines)
  end
  if axes.zlabel then
    lines[#lines + 1] = "set cblabel " .. style.text_of(axes.zlabel, {markup = axes.markup, raw = as_text})
      .. (axes.zlog and not as_text and " offset 1.2,0" or "")
  end
  if built.colors.hidden or built.view then -- in space the z axis has the numbers
    lines[#lines + 1] = "unset colorbox"
  elseif not as_text then -- gnuplot's own grows with the panel, until its numbers leave the picture
    lines[#lines + 1] = ("set colorbox user origin screen %.5f,%.5f size screen %.5f,%.5f"):format(
      table.unpack(built.place.colors))
  end
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
  if built.view then space_lines(built, lines, as_text) end
  if built.boxed and not as_text then
    lines[#lines + 1] = "set style textbox opaque margins 0.4,0.2 fillcolor rgb white noborder"
  end
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
    local code = element.code
    if type(code) == "function" then code = code(built, as_text) end
    parts[i] = ("DATA index %d using %s %s notitle"):format(element.block.index, element.using, code)
  end
  if built.blank then -- gnuplot draws no axes without something to plot
    parts[1] = built.view and "NaN with lines notitle" or "NaN notitle"
  end
  for _, entry in ipairs(entries) do
    parts[#parts + 1] = ("keyentry %s title %s"):format(entry.code,
      style.text_of(entry.name, {raw = as_text}))
  end
  return (built.view and "splot " or "plot ") .. table.concat(parts, ", \\\n     ")
end

return panel
