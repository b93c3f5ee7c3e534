--- The kinds of series. Each turns its options into elements, the parts of one gnuplot `plot` command:
--
--   {layer = n, block = {title, names, segments}, using = "1:2", code = "with lines lt 1", legend = {name, code} | nil}
--
-- A block is one stretch of the data file; a segment of it is a list of columns, and a blank line between segments lifts the pen.
-- Layers are drawn in order: 0 image, 1 field, 2 bands, 3 lines, 4 points. The legend lists entries in the order they were added.

local options = require "tide.options"
local stats = require "tide.plot.stats"
local style = require "tide.plot.style"

local series = {kinds = {}}

local IMAGE, FIELD, BAND, LINE, POINT = 0, 1, 2, 3, 4

local opacity = options.between(0, 1)
local pen_spec = {
  name = {"string"},
  color = {"string|number"},              -- a name of style.gp, "#rrggbb" or a number
  style = {"integer", check = options.at_least(1)}, -- line type: colour, dash and marker at once
  dash = {"number|string|table"},         -- gnuplot's dashtype; {12, 4} is 12 on, 4 off
  linewidth = {"number", check = options.positive},
  marker = {"string|integer"},
  size = {"number", default = 1, check = options.positive},
  alpha = {"number", default = 1, check = opacity},
}

local function with_pen(spec)
  for key, rule in pairs(pen_spec) do spec[key] = spec[key] or rule end
  return spec
end

local function index_of(list, wanted)
  for i, v in ipairs(list) do if v == wanted then return i end end
end

-- "lt 2 lc rgb blue dt 1 lw 2": everything about a line. A colour of style.gp brings its own dash and marker along.
local function pen(o, context)
  local lt = o.style or index_of(style.colors(), o.color)
  if not lt then lt = o.color and 1 or context:next_style() end
  lt = (lt - 1) % 7 + 1
  local parts = {"lt " .. lt}
  if o.color or o.alpha < 1 then parts[#parts + 1] = "lc rgb " .. style.color(o.color or lt, o.alpha) end
  local dash = o.dash
  if type(dash) == "table" then dash = "(" .. table.concat(dash, ",") .. ")" end
  if math.type(dash) then dash = ("%d"):format(dash) elseif o.dash and type(o.dash) == "string" then dash = style.quote(dash) end
  if dash then parts[#parts + 1] = "dt " .. dash end
  if o.linewidth then parts[#parts + 1] = ("lw %g"):format(o.linewidth) end
  return table.concat(parts, " "), lt
end

local native_size = {0.7, 0.58, 0.8, 0.85, 0.8, 0.75, 0.8} -- point sizes of style.gp, so that shapes look equally large

local function marker(o, lt)
  local number = o.marker and style.marker(o.marker)
  return ("%sps %g"):format(number and "pt " .. number .. " " or "", native_size[lt] * o.size)
end

-- Check a column: a list of numbers as long as the others.
local function column(context, label, name, values, length)
  if values == nil then context:fail(('series "%s" has no %s'):format(label, name)) end
  local list = stats.list(values)
  if not list then
    context:fail(('series "%s": %s must be a list or a tensor, got %s'):format(label, name, options.show(values)))
  end
  values = list
  for i, v in ipairs(values) do
    if not math.type(v) then
      context:fail(('series "%s": %s[%d] must be a number, got %s'):format(label, name, i, options.show(v)))
    end
  end
  if length and #values ~= length then
    context:fail(('series "%s": %s has %d values where the column before has %d'):format(label, name, #values, length))
  end
  return values
end

-- Columns by name, equally long, with at least one row that can be drawn.
local function columns(context, label, given, names)
  local out, usable = {}, 0
  for i, name in ipairs(names) do out[i] = column(context, label, name, given[name], i > 1 and #out[1] or nil) end
  for row = 1, #out[1] do
    local fine = true
    for i, name in ipairs(names) do
      local v = out[i][row]
      if not options.finite(v) or (context:is_log(name) and v <= 0) then fine = false end
    end
    if fine then usable = usable + 1 end
  end
  if usable == 0 then
    local log = (context.axes.xlog or context.axes.ylog) and " (and positive, for a log axis)" or ""
    context:fail(('series "%s" has no row of finite%s numbers among its %d rows'):format(label, log, #out[1]))
  end
  return out
end

local function count_from_one(n)
  local x = {}
  for i = 1, n do x[i] = i end
  return x
end

-- Points and lines without x are drawn over 1, 2, 3, ...
local function xy(o, context, label, extra)
  local y = column(context, label, "y", o.y)
  local given = {x = o.x or count_from_one(#y), y = y, low = o.low, high = o.high}
  local names = {"x", "y", table.unpack(extra or {})}
  local cols = columns(context, label, given, names)
  context:see("x", cols[1])
  for i = 2, #cols do context:see("y", cols[i]) end
  return cols, names
end

local function legend(o, code) return o.name and {name = o.name, code = code} or nil end

series.kinds.line = {
  spec = with_pen{
    x = {"any"}, y = {"any", required = true},
    low = {"any"}, high = {"any"},  -- error bars
    every = {"integer", check = options.at_least(1)}, -- a marker at every n-th point
  },
  build = function(o, context, label)
    local bars = o.low ~= nil
    local cols, names = xy(o, context, label, bars and {"low", "high"})
    local line, lt = pen(o, context)
    local code = "with lines " .. line
    if bars then
      code = ("with yerrorlines %s %s"):format(line, marker(o, lt))
    elseif o.marker or o.every then
      code = ("with linespoints %s %s pi %d"):format(line, marker(o, lt), -(o.every or 1))
    end
    local key = bars and ("with linespoints %s %s"):format(line, marker(o, lt)) or code
    return {{layer = LINE, block = {names = names, segments = {cols}}, using = bars and "1:2:3:4" or "1:2", code = code,
      legend = legend(o, key)}}
  end,
}

-- A line of the legend without data: for what dashes or colours mean across several series.
series.kinds.entry = {
  spec = with_pen{},
  build = function(o, context)
    if not o.name then context:fail("an entry of the legend needs a name") end
    local line, lt = pen(o, context)
    if not o.marker then return {{legend = legend(o, "with lines " .. line)}} end
    return {{legend = legend(o, ("with linespoints %s %s"):format(line, marker(o, lt)))}}
  end,
}

-- On a log axis a bound below zero has no place: let the band reach down to the smallest value that has one.
local function clamp_to_log(values, others)
  local floor = math.huge
  for _, list in ipairs(others) do
    for _, v in ipairs(list) do if v > 0 then floor = math.min(floor, v) end end
  end
  local out = {}
  for i, v in ipairs(values) do out[i] = v <= 0 and floor or v end
  return out
end

series.kinds.band = {
  spec = with_pen{
    x = {"any"}, low = {"any"}, high = {"any"},
    y = {"any"},     -- a line inside the band
    runs = {"table"}, -- instead of x, low, high, y: runs to summarise
    stat = {"string", default = "median", check = options.one_of{"median", "mean"}},
    opacity = {"number", default = 0.2, check = opacity},
  },
  build = function(o, context, label)
    if o.runs then
      local summary = (o.stat == "mean" and stats.mean_band or stats.median_band)(o.runs)
      for _, name in ipairs{"x", "y", "low", "high"} do o[name] = summary[name] end
    end
    local low = column(context, label, "low", o.low)
    local high = column(context, label, "high", o.high, #low)
    if context.axes.ylog then low = clamp_to_log(low, {low, high}) end
    local x = o.x or count_from_one(#low)
    local names = o.y and {"x", "low", "high", "y"} or {"x", "low", "high"}
    local cols = columns(context, label, {x = x, low = low, high = high, y = o.y}, names)
    context:see("x", cols[1])
    for i = 2, #cols do context:see("y", cols[i]) end
    local line, lt = pen(o, context)
    local block = {names = names, segments = {cols}}
    local fill = ("with filledcurves lc rgb %s fs transparent solid %.2f noborder"):format(style.color(o.color or lt), o.opacity)
    local elements = {{layer = BAND, block = block, using = "1:2:3", code = fill}}
    if o.y then
      elements[2] = {layer = LINE, block = block, using = "1:4", code = "with lines " .. line}
    end
    elements[1].legend = legend(o, o.y and "with lines " .. line or fill)
    return elements
  end,
}

-- Rows by class: a list of {value, name, color, style, rows}; classes that the caller describes come in the caller's order.
local function split_classes(o, context, label, n, values)
  local list, found = {}, {}
  for i, class in ipairs(o.classes or {}) do
    local c = options.check("plot classes", class, {value = {"any"}, name = {"string"}, color = {"string|number"},
      marker = {"string|integer"}}, -1) -- no position: the caller adds one
    list[i] = {value = c.value, name = c.name, color = c.color, marker = c.marker, style = (i - 1) % 7 + 1, rows = {}}
    found[c.value] = list[i]
  end
  local unknown = {}
  for row = 1, n do
    local value = values[row]
    if value == nil then context:fail(('series "%s": class[%d] is missing'):format(label, row)) end
    if not found[value] then
      found[value] = {value = value, name = type(value) == "string" and value or "class " .. tostring(value), rows = {}}
      unknown[#unknown + 1] = found[value]
    end
    table.insert(found[value].rows, row)
  end
  table.sort(unknown, function(a, b)
    if type(a.value) ~= type(b.value) then return type(a.value) < type(b.value) end
    return a.value < b.value
  end)
  for _, class in ipairs(unknown) do
    class.style = #list % 7 + 1
    list[#list + 1] = class
  end
  return list
end

local function pick(values, rows)
  local out = {}
  for i, row in ipairs(rows) do out[i] = values[row] end
  return out
end

-- Points, with a white copy a little larger underneath so that crowded points stay apart.
local function points(o, cols, names, lt, code, rim, title)
  local block = {title = title, names = names, segments = {cols}}
  local elements = {}
  if rim then
    local pt = o.marker and style.marker(o.marker) or ({7, 5, 9, 13, 11, 15, 2})[lt]
    elements[1] = {layer = POINT, block = block, using = "1:2",
      code = ("with points pt %d ps %g lc rgb white"):format(pt, native_size[lt] * o.size + 0.25)}
  end
  elements[#elements + 1] = {layer = POINT, block = block, using = #cols == 3 and "1:2:3" or "1:2", code = code}
  return elements
end

series.kinds.scatter = {
  spec = with_pen{
    x = {"any"}, y = {"any", required = true},
    class = {"any"},                 -- a class per point: colour and marker by class
    classes = {"table"},             -- {{value =, name =, color =, marker =}, ...}
    value = {"any"},                 -- a number per point: colour by palette
    palette = {"string", default = "viridis"},
    rim = {"boolean", default = true},
  },
  build = function(o, context, label)
    local cols, names = xy(o, context, label)
    context:pad()
    if o.value then
      cols[3], names[3] = column(context, label, "value", o.value, #cols[1]), "value"
      context:palette(o.palette, nil, cols[3])
      local code = ("with points pt %d ps %g lc palette"):format(style.marker(o.marker or "circle"), 0.7 * o.size)
      local elements = points(o, cols, names, 1, code, o.rim)
      elements[1].legend = legend(o, code:gsub("lc palette", "lc rgb gray"))
      return elements
    end
    if not o.class then
      local line, lt = pen(o, context)
      local code = ("with points %s %s"):format(line, marker(o, lt))
      local elements = points(o, cols, names, lt, code, o.rim)
      elements[1].legend = legend(o, code)
      return elements
    end
    local out = {}
    for _, class in ipairs(split_classes(o, context, label, #cols[1], stats.list(o.class))) do
      if #class.rows > 0 then
        local look = {style = class.style, color = class.color or o.color, alpha = o.alpha, size = o.size,
          marker = class.marker or o.marker}
        local line, lt = pen(look, context)
        local code = ("with points %s %s"):format(line, marker(look, lt))
        local part = points(look, {pick(cols[1], class.rows), pick(cols[2], class.rows)}, names, lt, code, o.rim, class.name)
        part[1].legend = class.name and {name = class.name, code = code}
        for _, element in ipairs(part) do out[#out + 1] = element end
      end
    end
    return out
  end,
}

series.column, series.columns, series.pen, series.with_pen = column, columns, pen, with_pen
series.split_classes, series.native_size = split_classes, native_size
series.layers = {image = IMAGE, field = FIELD, band = BAND, line = LINE, point = POINT}

return series
