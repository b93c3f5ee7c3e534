--- Kinds of series for flows: vector fields, trajectories. See series.lua for what an element is.

local options = require "tide.base.options"
local series = require "tide.plot.series"
local style = require "tide.plot.style"
local tree = require "tide.base.tree"

local layers = series.layers

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
  usage = "{x = x, y = y, u = u, v = v}",
  spec = series.with_pen({
    x = {"any", required = true}, y = {"any", required = true}, u = {"any", required = true},
    v = {"any", required = true},
    length = {"number", default = 0.8, check = options.positive}, -- of the longest arrow, in grid cells
    -- all arrows equally long: shows direction only
    equal = {"boolean", default = false},
    speed = {"boolean", default = false},                          -- colour by magnitude
    palette = style.palette_option,
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

-- Curves of states {times, n, 2 or more}, as a solve of a batch gives them: of the first two coordinates.
local function batch_curves(o, context, label)
  local shape = tree.is_tensor(o.states) and o.states:shape() or {}
  if #shape ~= 3 or shape[3] < 2 then
    context:fail(('series "%s": states must be a tensor {times, n, 2 or more}, got %s'):format(label,
      #shape > 0 and ("{%s}"):format(table.concat(shape, ", ")) or options.show(o.states)))
  end
  local class = o.class and series.class_list(context, label, o.class, shape[2]) or {}
  local curves = {}
  for i = 1, shape[2] do
    local curve = o.states:select(2, i)
    curves[i] = {x = curve:select(2, 1), y = curve:select(2, 2), class = class[i]}
  end
  return curves
end

-- Curves as a list of {x =, y =, class =}; flat columns with an id are cut where the id changes.
local function to_curves(o, context, label)
  if o.states then return batch_curves(o, context, label) end
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
  usage = "{curves = {{x = x, y = y}, ...}}",
  spec = series.with_pen({
    states = {"any"},                         -- {times, n, 2 or more}, class one of each of the n
    curves = {"table"},                       -- or {{x =, y =, class =}, ...}, or flat columns:
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
