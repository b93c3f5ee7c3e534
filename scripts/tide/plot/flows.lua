--- Kinds of series for flows: images on a grid, vector fields, trajectories. See series.lua for what an element is.

local options = require "tide.options"
local series = require "tide.plot.series"
local stats = require "tide.plot.stats"
local style = require "tide.plot.style"

local layers = series.layers

local function pair(v) return #v == 2 and math.type(v[1]) ~= nil and math.type(v[2]) ~= nil and v[1] ~= v[2], "{low, high}" end

series.kinds.image = {
  spec = {
    name = {"string"},
    z = {"any", required = true},                    -- rows of numbers; the first row at the bottom, as y grows upwards
    x = {"table", check = pair}, y = {"table", check = pair}, -- centres of the first and last column and row
    picture = {"boolean", default = false},          -- the first row at the top, as in photographs
    palette = {"string", default = "viridis"},
    range = {"table", check = pair},                 -- values at the ends of the palette
  },
  build = function(o, context, label)
    local z = stats.list(o.z)
    local rows, width = #z, z[1] and #stats.list(z[1]) or 0
    if rows < 2 or width < 2 then context:fail(('series "%s": an image needs 2 x 2 values or more'):format(label)) end
    local x0, x1 = table.unpack(o.x or {1, width})
    local y0, y1 = table.unpack(o.y or {1, rows})
    local dx, dy = (x1 - x0) / (width - 1), (y1 - y0) / (rows - 1)
    local cols = {{}, {}, {}}
    for r = 1, rows do
      local row = series.column(context, label, "z", z[o.picture and rows + 1 - r or r], width)
      for c = 1, width do
        local i = #cols[1] + 1
        cols[1][i], cols[2][i], cols[3][i] = x0 + (c - 1) * dx, y0 + (r - 1) * dy, row[c]
      end
    end
    series.columns(context, label, {x = cols[1], y = cols[2], z = cols[3]}, {"x", "y", "z"})
    -- Pixels reach half a step beyond their centres.
    context:see("x", {x0 - dx / 2, x1 + dx / 2})
    context:see("y", {y0 - dy / 2, y1 + dy / 2})
    context:tight()
    context:palette(o.palette, o.range, cols[3])
    return {{layer = layers.image, block = {names = {"x", "y", "value"}, segments = {cols}}, using = "1:2:3", code = "with image"}}
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

series.kinds.field = {
  spec = series.with_pen{
    x = {"any", required = true}, y = {"any", required = true}, u = {"any", required = true}, v = {"any", required = true},
    length = {"number", default = 0.8, check = options.positive}, -- of the longest arrow, in grid cells
    equal = {"boolean", default = false},                          -- all arrows equally long: shows direction only
    speed = {"boolean", default = false},                          -- colour by magnitude
    palette = {"string", default = "viridis"},
  },
  build = function(o, context, label)
    local names = {"x", "y", "u", "v"}
    local cols = series.columns(context, label, o, names)
    local x, y, u, v = table.unpack(cols)
    local dx, dy = cell(x, y)
    -- Lengths are measured in grid cells, so that arrows fit their cells even when the axes have different units.
    local longest = 0
    for i = 1, #x do
      local length = math.sqrt((u[i] / dx) ^ 2 + (v[i] / dy) ^ 2)
      if length < math.huge then longest = math.max(longest, length) end
    end
    local arrows = {{}, {}, {}, {}, {}}
    for i = 1, #x do
      local length = math.sqrt((u[i] / dx) ^ 2 + (v[i] / dy) ^ 2)
      if options.finite(length) and length > 1e-3 * longest then -- shorter ones would be a head without a shaft
        local scale = o.length / (o.equal and length or longest)
        local k = #arrows[1] + 1
        arrows[1][k], arrows[2][k] = x[i] - 0.5 * scale * u[i], y[i] - 0.5 * scale * v[i]
        arrows[3][k], arrows[4][k], arrows[5][k] = scale * u[i], scale * v[i], math.sqrt(u[i] ^ 2 + v[i] ^ 2)
      end
    end
    if #arrows[1] == 0 then context:fail(('series "%s": the field is zero everywhere'):format(label)) end
    for i = 1, #x do
      context:see("x", {x[i] - dx / 2, x[i] + dx / 2})
      context:see("y", {y[i] - dy / 2, y[i] + dy / 2})
    end
    context:tight()
    local color = o.speed and "palette" or "rgb " .. style.color(o.color or "#B0B0B0", o.alpha)
    if o.speed then context:palette(o.palette, nil, arrows[5]) end
    local code = ("with vectors head filled size graph 0.014,22 lc %s lw %g"):format(color, o.linewidth or 1)
    return {{layer = layers.field, block = {names = {"x", "y", "dx", "dy", "speed"}, segments = {arrows}},
      using = o.speed and "1:2:3:4:5" or "1:2:3:4", code = code,
      legend = o.name and {name = o.name, code = "with lines lt 1 dt 1 lc rgb " .. style.color(o.color or "#B0B0B0")}}}
  end,
}

-- Curves as a list of {x =, y =, class =}; flat columns with an id are cut where the id changes.
local function to_curves(o, context, label)
  if o.curves then return o.curves end
  local x = series.column(context, label, "x", o.x)
  local y = series.column(context, label, "y", o.y, #x)
  local id, class = o.id and stats.list(o.id) or {}, o.class and stats.list(o.class) or {}
  local curves = {}
  for i = 1, #x do
    if i == 1 or id[i] ~= id[i - 1] then curves[#curves + 1] = {x = {}, y = {}, class = class[i]} end
    local curve = curves[#curves]
    table.insert(curve.x, x[i])
    table.insert(curve.y, y[i])
  end
  return curves
end

-- Where each curve starts, and a short arrow along its last stretch.
local function ends(curves)
  local starts, tips = {{}, {}}, {{}, {}, {}, {}}
  for _, curve in ipairs(curves) do
    local x, y = curve[1], curve[2]
    table.insert(starts[1], x[1])
    table.insert(starts[2], y[1])
    local n = #x
    local before = n
    repeat before = before - 1 until before < 1 or x[before] ~= x[n] or y[before] ~= y[n]
    if before >= 1 then
      for c, value in ipairs{x[before], y[before], x[n] - x[before], y[n] - y[before]} do table.insert(tips[c], value) end
    end
  end
  return starts, tips
end

local function add_class(o, out, class, curves, line, lt)
  local first = #out + 1
  out[first] = {layer = layers.line, block = {title = class.name, names = {"x", "y"}, segments = curves}, using = "1:2",
    code = "with lines " .. line}
  local bold = line:gsub("lw %S+", "lw 2")
  out[first].legend = class.name and {name = class.name, code = "with lines " .. bold}
  local starts, tips = ends(curves)
  if o.arrows and #tips[1] > 0 then
    out[#out + 1] = {layer = layers.line, block = {title = "tips", names = {"x", "y", "dx", "dy"}, segments = {tips}},
      using = "1:2:3:4", code = "with vectors head filled size graph 0.018,22 fixed " .. line}
  end
  if o.start then
    local block = {title = "starts", names = {"x", "y"}, segments = {starts}}
    local pt = class.marker and style.marker(class.marker) or ({7, 5, 9, 13, 11, 15, 2})[lt]
    local size = 0.85 * series.native_size[lt] * o.size
    out[#out + 1] = {layer = layers.point, block = block, using = "1:2",
      code = ("with points pt %d ps %g lc rgb white"):format(pt, size + 0.25)}
    out[#out + 1] = {layer = layers.point, block = block, using = "1:2",
      code = ("with points lt %d pt %d ps %g%s"):format(lt, pt, size, class.color and " lc rgb " .. style.color(class.color) or "")}
    -- The legend shows line and dot together.
    if out[first].legend then
      out[first].legend.code = ("with linespoints %s pt %d ps %g"):format(bold, pt, size)
    end
  end
end

series.kinds.trajectories = {
  spec = series.with_pen{
    curves = {"table"},                       -- {{x =, y =, class =}, ...}, or flat columns:
    x = {"any"}, y = {"any"}, id = {"any"}, class = {"any"},
    classes = {"table"},                      -- {{value =, name =, color =, marker =}, ...}
    start = {"boolean", default = true},      -- a dot where each begins
    arrows = {"boolean", default = true},     -- an arrow head where each ends
    linewidth = {"number", default = 1.3, check = options.positive},
  },
  build = function(o, context, label)
    local curves = to_curves(o, context, label)
    if #curves == 0 then context:fail(('series "%s" has no curves'):format(label)) end
    local checked, class_of = {}, {}
    for i, curve in ipairs(curves) do
      checked[i] = series.columns(context, ("%s, curve %d"):format(label, i), curve, {"x", "y"})
      context:see("x", checked[i][1])
      context:see("y", checked[i][2])
      class_of[i] = curve.class == nil and "" or curve.class
    end
    context:pad()
    local out = {}
    local single = class_of[1] == "" and not o.classes
    local classes = single and {{name = o.name, color = o.color, style = o.style}} or
      series.split_classes(o, context, label, #curves, class_of)
    for _, class in ipairs(classes) do
      local members = checked
      if not single then
        members = {}
        for i, row in ipairs(class.rows) do members[i] = checked[row] end
      end
      if #members > 0 then
        local look = {style = class.style, color = class.color, alpha = o.alpha, linewidth = o.linewidth, dash = o.dash or 1}
        local line, lt = series.pen(look, context)
        add_class(o, out, class, members, line, lt)
      end
    end
    return out
  end,
}
