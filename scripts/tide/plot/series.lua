--- The kinds of series: {usage = what to write, spec = its options, build =}. Each turns its options into
-- elements, the parts of one gnuplot `plot` command:
--
--   {layer = n, block = {title, names, segments}, using = "1:2", code = "with lines lt 1",
--    legend = {name, code} | nil}
--
-- A block is one stretch of the data file; a segment of it is a list of columns, and a blank line between
-- segments lifts the pen. `code` may be a function of the panel as it is laid out (and of whether it is drawn
-- with characters) that gives it. Layers are drawn in order: 0 image, 1 field, 2 bands, 3 lines, 4 points,
-- 5 labels, whose texts have no blanks. The legend lists entries in the order they were added.

local options = require "tide.base.options"
local pens = require "tide.plot.pen"
local stats = require "tide.base.stats"
local style = require "tide.plot.style"

local series = {kinds = {}}

local IMAGE, FIELD, BAND, LINE, POINT, LABEL = 0, 1, 2, 3, 4, 5

local with_pen, pen, marker, native_size = pens.with, pens.line, pens.marker, pens.native_size
local opacity = options.between(0, 1)

local every_option = options.sorted_keys(pens.options)

-- Check a column: a list of numbers as long as the others.
local function column(context, label, name, values, length)
  if values == nil then context:fail(('series "%s" has no %s'):format(label, name)) end
  local list = stats.list(values)
  if not list then
    context:fail(('series "%s": %s must be a list or a tensor, got %s'):format(label, name,
      options.show(values)))
  end
  for i = 1, #list do
    if not math.type(list[i]) then
      local hint = list[i] == nil and "; write 0/0 for a value that is missing"
        or type(list[i]) == "table"
        and "; it is one list or a 1-D tensor: x:reshape{-1}, or a series for each column"
        or type(list[i]) ~= "string" and ""
        or list[i]:find("^%d%d%d%d%-%d") and "; os.time{year =, month =, day =} makes numbers of dates"
        or "; tonumber makes numbers of texts"
      context:fail(('series "%s": %s[%d] must be a number, got %s%s'):format(label, name, i,
        options.show(list[i]), hint))
    end
  end
  if length and #list ~= length then
    context:fail(('series "%s": %s has %d values where the column before has %d'):format(label, name, #list,
      length))
  end
  return list
end

-- Columns by name, equally long.
local function columns(context, label, given, names)
  local out = {}
  for i, name in ipairs(names) do
    out[i] = column(context, label, name, given[name], i > 1 and #out[1] or nil)
  end
  return out
end

local LARGEST = 1e307 -- beyond it gnuplot's own arithmetic overflows

-- Why a value has no place in the picture; nil when it has one.
local function trouble(v, log, where)
  if not options.finite(v) then return "not finite" end
  if v + 0.0 > LARGEST or v + 0.0 < -LARGEST then return "beyond 1e307" end
  if log and v <= 0 then return "not positive " .. (where or "on a log axis") end
end

-- The rows that can be drawn, as segments (runs of neighbours): a row that cannot leaves a gap. They are seen
-- by the axes, the others are counted for the note. Returns segments, and the rows that are in them.
local function drawable(context, label, cols, names, noun)
  local segments, rows, current = {}, {}, nil
  for row = 1, #cols[1] do
    local reason
    for c, name in ipairs(names) do
      reason = reason or trouble(cols[c][row], context:is_log(name),
        name == "value" and "in a log colour scale")
    end
    if reason then
      context:miss(noun or "points", reason)
      current = nil
    else
      if not current then
        current = {}
        for c = 1, #names do current[c] = {} end
        segments[#segments + 1] = current
      end
      for c = 1, #names do table.insert(current[c], cols[c][row]) end
      rows[#rows + 1] = row
    end
  end
  context:count(label, noun or "points", #cols[1])
  for c, name in ipairs(names) do
    local axis = context.axis_of[name]
    if axis then for _, segment in ipairs(segments) do context:see(axis, segment[c]) end end
  end
  return segments, rows
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
  return columns(context, label, given, names), names
end

local function pick(values, rows)
  local out = {}
  for i, row in ipairs(rows) do out[i] = values[row] end
  return out
end

-- On a log axis what lies between a value and 0 or less reaches down to the end of the axis: log 0 is minus
-- infinity.
local function reach_down(context, values, others)
  if not context.axes.ylog then return values end
  local out = {}
  for i, v in ipairs(values) do
    local other = others[i]
    out[i] = options.finite(v) and v <= 0 and other and other > 0 and context:bottom() or v
  end
  return out
end

local function legend(o, code) return o.name and {name = o.name, code = code} or nil end

-- What a line cannot show: points whose neighbours are missing. A dot each, else they would vanish without a
-- word.
local function lone_points(segments, names, line, lt)
  local lone = {}
  for _, segment in ipairs(segments) do if #segment[1] == 1 then lone[#lone + 1] = segment end end
  if #lone == 0 then return nil end
  return {layer = LINE, block = {title = "points without neighbours", names = names, segments = lone},
    using = "1:2",
    code = ("with points %s pt 7 ps %g"):format(line, 0.5 * native_size[lt])}
end

series.kinds.line = {
  usage = "{x = x, y = y}",
  spec = with_pen({
    x = {"any"}, y = {"any", required = true},
    low = {"any"}, high = {"any"},  -- error bars
    every = {"integer", check = options.at_least(1)}, -- a marker at every n-th point
  }, every_option),
  build = function(o, context, label)
    local bars = o.low ~= nil or o.high ~= nil
    local cols, names = xy(o, context, label, bars and {"low", "high"})
    if bars then cols[3] = reach_down(context, cols[3], cols[2]) end
    local segments = drawable(context, label, cols, names)
    local line, lt = pen(o, context)
    local code = "with lines " .. line
    if bars then
      code = ("with yerrorlines %s %s"):format(line, marker(o, lt))
    elseif o.marker or o.every then
      code = ("with linespoints %s %s pi %d"):format(line, marker(o, lt), -(o.every or 1))
    end
    local key = bars and ("with linespoints %s %s"):format(line, marker(o, lt)) or code
    return {{layer = LINE, block = {names = names, segments = segments}, using = bars and "1:2:3:4" or "1:2",
      code = code,
      legend = legend(o, key)}, not (bars or o.marker) and lone_points(segments, names, line, lt) or nil}
  end,
}

-- A line of the legend without data: for what dashes or colours mean across several series.
series.kinds.entry = {
  usage = '{name = "dashed: test"}',
  spec = with_pen({}, every_option),
  build = function(o, context)
    if not o.name then context:fail("an entry of the legend needs a name") end
    local line, lt = pen(o, context)
    if not o.marker then return {{legend = legend(o, "with lines " .. line)}} end
    return {{legend = legend(o, ("with linespoints %s %s"):format(line, marker(o, lt)))}}
  end,
}

series.kinds.band = {
  usage = "{x = x, low = low, high = high}, or {runs = {a, b, ...}}",
  spec = with_pen({
    x = {"any"}, low = {"any"}, high = {"any"},
    y = {"any"},     -- a line inside the band
    runs = {"table"}, -- instead of x, low, high, y: runs to summarise
    stat = {"string", default = "median", check = options.one_of{"median", "mean"}},
    opacity = {"number", default = 0.2, check = opacity},
  }, {"name", "color", "style", "dash", "linewidth", "alpha"}),
  build = function(o, context, label)
    if o.runs then
      local summary = (o.stat == "mean" and stats.mean_band or stats.median_band)(o.runs)
      for _, name in ipairs{"x", "y", "low", "high"} do o[name] = summary[name] end
      if summary.missing > 0 then context:miss("values", "not finite", summary.missing) end
      context:count(label, "values", summary.total)
    end
    local high = column(context, label, "high", o.high)
    local low = reach_down(context, column(context, label, "low", o.low, #high), high)
    local x = o.x or count_from_one(#low)
    local y = o.y
      and (context.axes.ylog and reach_down(context, column(context, label, "y", o.y, #high), high) or o.y)
    local names = y and {"x", "low", "high", "y"} or {"x", "low", "high"}
    local segments = drawable(context, label, columns(context, label, {x = x, low = low, high = high, y = y},
      names), names, o.runs and "places of the band")
    local line, lt = pen(o, context)
    local block = {names = names, segments = segments}
    local fill = ("with filledcurves lc rgb %s fs transparent solid %.2f noborder"):format(
      style.color(o.color or lt), o.opacity)
    local elements = {{layer = BAND, block = block, using = "1:2:3", code = fill}}
    if y then
      elements[2] = {layer = LINE, block = block, using = "1:4", code = "with lines " .. line}
    end
    elements[1].legend = legend(o, y and "with lines " .. line or fill)
    -- A stretch of one point has no area: an upright stroke shows it.
    local lone = {}
    for _, segment in ipairs(segments) do if #segment[1] == 1 then lone[#lone + 1] = segment end end
    if #lone > 0 then
      elements[#elements + 1] = {layer = BAND, block = {title = "points without neighbours", names = names,
        segments = lone}, code =
        ("with yerrorbars lc rgb %s pt %d ps 0.4 lw 2"):format(style.color(o.color or lt), y and 7 or 0),
        using = y and "1:4:2:3" or "1:2:2:3"}
    end
    return elements
  end,
}

-- Rows by class: a list of {value, name, color, style, rows}; classes that the caller describes come in the
-- caller's order.
local function split_classes(o, context, label, n, values)
  local list, found = {}, {}
  for i, class in ipairs(o.classes or {}) do
    local c = options.check("plot classes", class,
      {value = {"any"}, name = {"string"}, color = pens.options.color,
      marker = pens.options.marker})
    list[i] = {value = c.value, name = c.name, color = c.color, marker = c.marker, style = (i - 1) % 7 + 1,
      rows = {}}
    found[c.value] = list[i]
  end
  local unknown = {}
  for row = 1, n do
    local value = values[row]
    if value == nil then context:fail(('series "%s": class[%d] is missing'):format(label, row)) end
    if value ~= value then value = "nan" end -- no key of a table; a class of its own all the same
    if type(value) == "table" or type(value) == "userdata" or type(value) == "function" then
      context:fail(('series "%s": class[%d] must be a number, a text or a boolean, got %s'):format(label, row,
        options.show(value)))
    end
    if not found[value] then
      found[value] = {value = value, name = type(value) == "string" and value or "class " .. tostring(value),
        rows = {}}
      unknown[#unknown + 1] = found[value]
    end
    table.insert(found[value].rows, row)
  end
  table.sort(unknown, function(a, b)
    if type(a.value) ~= type(b.value) then return type(a.value) < type(b.value) end
    if type(a.value) == "boolean" then return not a.value and b.value end
    return a.value < b.value
  end)
  for _, class in ipairs(unknown) do
    class.style = #list % 7 + 1
    list[#list + 1] = class
  end
  return list
end

-- The class of each of n things.
local function class_list(context, label, given, n)
  local list = stats.list(given)
  if not list then
    context:fail(('series "%s": class must be a list or a tensor, got %s'):format(label, options.show(given)))
  end
  if #list ~= n then
    context:fail(('series "%s": class has %d values for %d points'):format(label, #list, n))
  end
  return list
end

-- Points, with a white copy a little larger underneath so that crowded points stay apart.
local function points(o, cols, names, lt, code, rim, title)
  local block = {title = title, names = names, segments = {cols}}
  local elements = {}
  if rim then
    local pt = o.marker and style.marker(o.marker) or ({7, 5, 9, 13, 11, 15, 2})[lt]
    elements[1] = {layer = POINT, block = block, using = "1:2",
      code = ("with points pt %s ps %g lc rgb white"):format(pt, native_size[lt] * o.size + 0.25)}
  end
  elements[#elements + 1] = {layer = POINT, block = block, using = #cols == 3 and "1:2:3" or "1:2",
    code = code}
  return elements
end

series.kinds.scatter = {
  usage = "{x = x, y = y}",
  spec = with_pen({
    x = {"any"}, y = {"any", required = true},
    class = {"any"},                 -- a class per point: colour and marker by class
    classes = {"table"},             -- {{value =, name =, color =, marker =}, ...}
    value = {"any"},                 -- a number per point: colour by palette
    palette = style.palette_option,
    rim = {"boolean", default = true},
  }, {"name", "color", "style", "linewidth", "marker", "size", "alpha"}),
  build = function(o, context, label)
    local cols, names = xy(o, context, label)
    local class = o.class ~= nil and class_list(context, label, o.class, #cols[1])
    if o.value ~= nil then cols[3], names[3] = column(context, label, "value", o.value, #cols[1]), "value" end
    local _, rows = drawable(context, label, cols, names)
    for c = 1, #cols do cols[c] = pick(cols[c], rows) end
    context:pad()
    if o.value ~= nil then
      context:palette(o.palette, nil, cols[3])
      local code = ("with points pt %s ps %g lc palette"):format(style.marker(o.marker or "circle"),
        0.7 * o.size)
      local elements = points(o, cols, names, 1, code, o.rim)
      elements[1].legend = legend(o, code:gsub("lc palette", "lc rgb gray"))
      return elements
    end
    if not class then
      local line, lt = pen(o, context)
      local code = ("with points %s %s"):format(line, marker(o, lt))
      local elements = points(o, cols, names, lt, code, o.rim)
      elements[1].legend = legend(o, code)
      return elements
    end
    local out = {}
    for _, part in ipairs(split_classes(o, context, label, #rows, pick(class, rows))) do
      if #part.rows > 0 then
        local look = {style = part.style, color = part.color or o.color, alpha = o.alpha, size = o.size,
          marker = part.marker or o.marker}
        local line, lt = pen(look, context)
        local code = ("with points %s %s"):format(line, marker(look, lt))
        local drawn = points(look, {pick(cols[1], part.rows), pick(cols[2], part.rows)}, names, lt, code,
          o.rim, part.name)
        drawn[1].legend = part.name and {name = part.name, code = code}
        for _, element in ipairs(drawn) do out[#out + 1] = element end
      end
    end
    return out
  end,
}

series.column, series.columns, series.drawable, series.trouble, series.pick = column, columns, drawable,
  trouble, pick
series.pen, series.with_pen, series.lone_points, series.class_list = pen, with_pen, lone_points, class_list
series.split_classes, series.native_size = split_classes, native_size
series.marker, series.count_from_one = marker, count_from_one
series.layers = {image = IMAGE, field = FIELD, band = BAND, line = LINE, point = POINT, label = LABEL}

return series
