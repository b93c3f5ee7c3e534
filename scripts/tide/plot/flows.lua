--- Kinds of series for flows: images on a grid, vector fields, trajectories. See series.lua for what an
-- element is.

local options = require "tide.base.options"
local series = require "tide.plot.series"
local stats = require "tide.base.stats"
local style = require "tide.plot.style"

local layers = series.layers

local function pair(v)
  return #v == 2 and math.type(v[1]) ~= nil and math.type(v[2]) ~= nil and options.finite(v[1])
    and options.finite(v[2]) and v[1] ~= v[2], "{low, high}"
end

-- Centre of the first cell and the step from one to the next; one cell of a given reach fills it.
local function steps(reach, n)
  local first, last = table.unpack(reach or {1, math.max(n, 1)})
  if n > 1 then return first, (last - first) / (n - 1) end
  return reach and 0.5 * (first + last) or 1, reach and last - first or 1
end

-- The rows of an image as a list of equally long lists.
local function rows_of(context, label, z)
  local list = stats.list(z)
  if not list then
    context:fail(('series "%s": z must be rows of numbers or a matrix, got %s'):format(label,
      options.show(z)))
  end
  local rows = {}
  for r = 1, #list do
    if not stats.list(list[r]) then
      context:fail(('series "%s": z must be rows of numbers; row %d is %s'):format(label, r,
        options.show(list[r])))
    end
    rows[r] = series.column(context, label, "z", list[r], r > 1 and #rows[1] or nil)
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

series.kinds.image = {
  spec = {
    name = {"string"},
    -- rows of numbers; the first row at the bottom, as y grows upwards
    z = {"any", required = true},
    x = {"table", check = pair}, y = {"table", check = pair}, -- centres of the first and last column and row
    -- the y axis points downwards: the first row at the top, as in photographs and tables
    picture = {"boolean", default = false},
    palette = {"string", default = "viridis"},
    range = {"table", check = pair},                 -- values at the ends of the palette
  },
  build = function(o, context, label)
    if context.axes.xlog or context.axes.ylog then
      context:fail(('series "%s": an image has cells of equal size, so its axes cannot be logarithmic; take '
        .. 'the logarithm of x and y'):format(label))
    end
    local rows = rows_of(context, label, o.z)
    local width = rows[1] and #rows[1] or 0
    local x0, dx = steps(o.x, width)
    local y0, dy = steps(o.y, #rows)
    local cols, missing = {{}, {}, {}}, false
    for r = 1, #rows do
      for c = 1, width do
        local v = rows[r][c]
        local reason = series.trouble(v)
        if reason then
          context:miss("cells", reason)
          missing = true
          v = 0 / 0
        end
        local i = #cols[1] + 1
        cols[1][i], cols[2][i], cols[3][i] = x0 + (c - 1) * dx, y0 + (r - 1) * dy, v
      end
    end
    context:count(label, "cells", #cols[1])
    if o.picture then context:downwards() end
    context:tight()
    if #cols[1] == 0 then return {} end
    -- Pixels reach half a step beyond their centres.
    for i, n in ipairs{width, #rows} do
      local first, step = ({x0, y0})[i], ({dx, dy})[i]
      context:see(({"x", "y"})[i], {first - step / 2, first + (n - 0.5) * step})
    end
    if missing then
      context:hatch(x0 - dx / 2, y0 - dy / 2, x0 + (width - 0.5) * dx, y0 + (#rows - 0.5) * dy)
    end
    context:palette(o.palette, o.range, cols[3])
    return {image_element(cols, #rows < 2 or width < 2, dx, dy)}
  end,
}

-- Distinct values and how far they reach.
local function spread(values)
  local seen, n, low, high = {}, 0, math.huge, -math.huge
  for _, v in ipairs(values) do
    if not seen[v] then seen[v], n = true, n + 1 end
    low, high = math.min(low, v), math.max(high, v)
  end
  return n, high - low
end

-- Width and height of a grid cell; scattered points get the cell they would have if spread evenly.
local function cell(x, y)
  local nx, width = spread(x)
  local ny, height = spread(y)
  if nx * ny ~= #x then
    nx = math.ceil(math.sqrt(#x)) + 1
    ny = nx
  end
  local dx, dy = width / math.max(1, nx - 1), height / math.max(1, ny - 1)
  return dx > 0 and dx or 1, dy > 0 and dy or 1
end

local function hypot(a, b)
  local most = math.max(math.abs(a), math.abs(b))
  return most == 0 and 0.0 or most * math.sqrt((a / most) ^ 2 + (b / most) ^ 2)
end

series.kinds.field = {
  spec = series.with_pen({
    x = {"any", required = true}, y = {"any", required = true}, u = {"any", required = true},
    v = {"any", required = true},
    length = {"number", default = 0.8, check = options.positive}, -- of the longest arrow, in grid cells
    -- all arrows equally long: shows direction only
    equal = {"boolean", default = false},
    speed = {"boolean", default = false},                          -- colour by magnitude
    palette = {"string", default = "viridis"},
  }, {"name", "color", "linewidth", "alpha"}),
  build = function(o, context, label)
    local names = {"x", "y", "u", "v"}
    local cols = series.columns(context, label, o, names)
    local _, rows = series.drawable(context, label, cols, names, "arrows")
    for c = 1, 4 do cols[c] = series.pick(cols[c], rows) end
    local x, y, u, v = table.unpack(cols)
    local dx, dy = cell(x, y)
    -- Lengths are measured in grid cells, so that arrows fit their cells even when the axes have different
    -- units.
    local longest = 0
    for i = 1, #x do
      local length = hypot(u[i] / dx, v[i] / dy)
      if length < math.huge then
        longest = math.max(longest, length)
      else
        context:miss("arrows", "beyond 1e307")
      end
    end
    local arrows = {{}, {}, {}, {}, {}}
    for i = 1, #x do
      local length = hypot(u[i] / dx, v[i] / dy)
      if length > 1e-3 * longest and length < math.huge then -- shorter ones would be a head without a shaft
        local k, unit = #arrows[1] + 1, o.equal and length or longest
        local across, up = o.length * (u[i] / unit), o.length * (v[i] / unit)
        arrows[1][k], arrows[2][k] = x[i] - 0.5 * across, y[i] - 0.5 * up
        arrows[3][k], arrows[4][k], arrows[5][k] = across, up, hypot(u[i], v[i])
      end
    end
    if #x > 0 and #arrows[1] == 0 then context:remark(("%s: zero everywhere"):format(label)) end
    for i = 1, #x do
      context:see("x", {x[i] - dx / 2, x[i] + dx / 2})
      context:see("y", {y[i] - dy / 2, y[i] + dy / 2})
    end
    context:tight()
    local color = o.speed and "palette" or "rgb " .. style.color(o.color or "#B0B0B0", o.alpha)
    if o.speed and #arrows[1] > 0 then context:palette(o.palette, nil, arrows[5]) end
    local code = ("with vectors head filled size graph 0.014,22 lc %s lw %g"):format(color, o.linewidth or 1)
    return {{layer = layers.field, block = {names = {"x", "y", "dx", "dy", "speed"}, segments = {arrows}},
      using = o.speed and "1:2:3:4:5" or "1:2:3:4", code = code,
      legend = o.name and {name = o.name, code = "with lines lt 1 dt 1 lc rgb "
        .. style.color(o.color or "#B0B0B0")}}}
  end,
}

-- Curves as a list of {x =, y =, class =}; flat columns with an id are cut where the id changes.
local function to_curves(o, context, label)
  if o.curves then
    for i, curve in ipairs(o.curves) do
      if type(curve) ~= "table" then
        context:fail(('series "%s": curve %d must be {x =, y =, class =}, got %s'):format(label, i,
          options.show(curve)))
      end
    end
    return o.curves
  end
  local x = series.column(context, label, "x", o.x)
  local y = series.column(context, label, "y", o.y, #x)
  local id = o.id and series.class_list(context, label, o.id, #x) or {}
  local class = o.class and series.class_list(context, label, o.class, #x) or {}
  local curves = {}
  for i = 1, #x do
    if i == 1 or id[i] ~= id[i - 1] then curves[#curves + 1] = {x = {}, y = {}, class = class[i]} end
    local curve = curves[#curves]
    table.insert(curve.x, x[i])
    table.insert(curve.y, y[i])
  end
  return curves
end

-- Where each curve starts, and a short arrow along its last stretch. A curve whose first or last point is
-- missing has no such mark: it did not start, or end, where the rest of it does.
local function ends(curves)
  local starts, tips = {{}, {}}, {{}, {}, {}, {}}
  for _, curve in ipairs(curves) do
    local first, last = curve.segments[1], curve.segments[#curve.segments]
    if curve.from_start then
      table.insert(starts[1], first[1][1])
      table.insert(starts[2], first[2][1])
    end
    if curve.to_end then
      local x, y = last[1], last[2]
      local n = #x
      local before = n
      repeat before = before - 1 until before < 1 or x[before] ~= x[n] or y[before] ~= y[n]
      if before >= 1 then
        for c, value in ipairs{x[before], y[before], x[n] - x[before], y[n] - y[before]} do
          table.insert(tips[c], value)
        end
      end
    end
  end
  return starts, tips
end

local function add_class(o, out, class, curves, line, lt)
  local first, segments = #out + 1, {}
  for _, curve in ipairs(curves) do
    table.move(curve.segments, 1, #curve.segments, #segments + 1, segments)
  end
  out[first] = {layer = layers.line, block = {title = class.name, names = {"x", "y"}, segments = segments},
    using = "1:2",
    code = "with lines " .. line}
  local bold = line:gsub("lw %S+", "lw 2")
  out[first].legend = class.name and {name = class.name, code = "with lines " .. bold}
  out[#out + 1] = series.lone_points(segments, {"x", "y"}, line, lt)
  local starts, tips = ends(curves)
  if o.arrows and #tips[1] > 0 then
    out[#out + 1] = {layer = layers.line, block = {title = "tips", names = {"x", "y", "dx", "dy"},
      segments = {tips}},
      using = "1:2:3:4", code = "with vectors head filled size graph 0.018,22 fixed " .. line}
  end
  if o.start and #starts[1] > 0 then
    local block = {title = "starts", names = {"x", "y"}, segments = {starts}}
    local pt = class.marker and tonumber(style.marker(class.marker)) or ({7, 5, 9, 13, 11, 15, 2})[lt]
    local size = 0.85 * series.native_size[lt] * o.size
    out[#out + 1] = {layer = layers.point, block = block, using = "1:2",
      code = ("with points pt %d ps %g lc rgb white"):format(pt, size + 0.25)}
    out[#out + 1] = {layer = layers.point, block = block, using = "1:2",
      code = ("with points lt %d pt %d ps %g%s"):format(lt, pt, size, class.color and " lc rgb "
        .. style.color(class.color) or "")}
    -- The legend shows line and dot together.
    if out[first].legend then
      out[first].legend.code = ("with linespoints %s pt %d ps %g"):format(bold, pt, size)
    end
  end
end

series.kinds.trajectories = {
  spec = series.with_pen({
    curves = {"table"},                       -- {{x =, y =, class =}, ...}, or flat columns:
    x = {"any"}, y = {"any"}, id = {"any"}, class = {"any"},
    classes = {"table"},                      -- {{value =, name =, color =, marker =}, ...}
    start = {"boolean", default = true},      -- a dot where each begins
    arrows = {"boolean", default = true},     -- an arrow head where each ends
    linewidth = {"number", default = 1.3, check = options.positive},
  }, {"name", "color", "style", "dash", "linewidth", "marker", "size", "alpha"}),
  build = function(o, context, label)
    local curves = to_curves(o, context, label)
    local checked, class_of = {}, {}
    if #curves == 0 then context:count(label, "points", 0) end
    for i, curve in ipairs(curves) do
      local where = ("%s, curve %d"):format(label, i)
      local cols = series.columns(context, where, curve, {"x", "y"})
      local segments, rows = series.drawable(context, where, cols, {"x", "y"})
      checked[i] = {segments = segments, from_start = rows[1] == 1, to_end = #rows > 0
        and rows[#rows] == #cols[1]}
      class_of[i] = curve.class == nil and "" or curve.class
    end
    context:pad()
    local out = {}
    local single = class_of[1] == "" and not o.classes
    local classes = single and {{name = o.name, style = o.style}} or
      series.split_classes(o, context, label, #curves, class_of)
    for _, class in ipairs(classes) do
      local members = checked
      if not single then
        members = {}
        for i, row in ipairs(class.rows) do members[i] = checked[row] end
      end
      if #members > 0 then
        class.color, class.marker = class.color or o.color, class.marker or o.marker
        local look = {style = class.style, color = class.color, alpha = o.alpha, linewidth = o.linewidth,
          dash = o.dash or 1}
        local line, lt = series.pen(look, context)
        add_class(o, out, class, members, line, lt)
      end
    end
    return out
  end,
}
