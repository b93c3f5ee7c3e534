--- Vector fields on a grid: arrows (quiver) and streamlines. See series.lua for what an element is.

local cells = require "tide.plot.cells"
local options = require "tide.base.options"
local series = require "tide.plot.series"
local style = require "tide.plot.style"

local layers = series.layers

-- ---- the grid ----

-- A number from what a field gives: a number, or a tensor of one element.
local function number_of(context, label, v, x, y)
  if type(v) == "userdata" and type(v.item) == "function" then v = v:item() end
  if not math.type(v) then
    context:fail(('series "%s": f(%g, %g) must give two numbers u, v; got %s'):format(label, x, y,
      options.show(v)))
  end
  return v
end

-- The ends of an axis.
local function reach(context, label, name, given)
  local list = series.column(context, label, name, given)
  if not options.pair(list) then
    context:fail(('series "%s": %s must be {low, high}, the ends of the grid'):format(label, name))
  end
  return list[1], list[2]
end

local function from_function(o, context, label, n, x0, x1, y0, y1)
  local u, v = {}, {}
  for r = 1, n do
    u[r], v[r] = {}, {}
    for c = 1, n do
      local x, y = x0 + (x1 - x0) * ((c - 1) / (n - 1)), y0 + (y1 - y0) * ((r - 1) / (n - 1))
      local a, b = o.f(x, y)
      if type(a) == "table" and b == nil then a, b = a[1], a[2] end
      u[r][c], v[r][c] = number_of(context, label, a, x, y), number_of(context, label, b, x, y)
    end
  end
  return u, v
end

-- {u = rows, v = rows, width =, height =, x0 =, x1 =, y0 =, y1 =} from f(x, y) or from two matrices.
local function grid_of(o, context, label, n)
  if context.axes.xlog or context.axes.ylog then
    context:fail(('series "%s": a field on a grid of equal steps cannot have logarithmic axes; take the '
      .. 'logarithm of x and y'):format(label))
  end
  if (o.f == nil) == (o.u == nil and o.v == nil) then
    context:fail(('series "%s": give either f = function(x, y) return u, v end, or the matrices u and v')
      :format(label))
  end
  local grid = {}
  if o.f then
    grid.x0, grid.x1 = reach(context, label, "x", o.x)
    grid.y0, grid.y1 = reach(context, label, "y", o.y)
    grid.u, grid.v = from_function(o, context, label, n, grid.x0, grid.x1, grid.y0, grid.y1)
  else
    grid.u, grid.v = cells.rows(context, label, o.u, "u"), cells.rows(context, label, o.v, "v")
    grid.x0, grid.x1 = reach(context, label, "x", o.x or {1, math.max(2, grid.u[1] and #grid.u[1] or 0)})
    grid.y0, grid.y1 = reach(context, label, "y", o.y or {1, math.max(2, #grid.u)})
  end
  grid.height, grid.width = #grid.u, grid.u[1] and #grid.u[1] or 0
  if #grid.v ~= grid.height or (grid.v[1] and #grid.v[1] or 0) ~= grid.width then
    context:fail(('series "%s": u and v must have the same rows and columns'):format(label))
  end
  return grid
end

-- ---- arrows ----

local on_grid = {
  f = {"function"},                       -- f(x, y) -> u, v
  x = {"any"}, y = {"any"},               -- {low, high}: the ends of the grid
  u = {"any"}, v = {"any"},               -- instead of f: matrices, the first row at the low end of y
}

series.kinds.quiver = {
  usage = "{f = function(x, y) return u, v end, x = {low, high}, y = {low, high}}",
  spec = series.with_pen({
    f = on_grid.f, x = on_grid.x, y = on_grid.y, u = on_grid.u, v = on_grid.v,
    n = {"integer", default = 16, check = options.between(2, 200)}, -- arrows along each axis, of f
    length = {"number", default = 0.8, check = options.positive},  -- of the longest arrow, in grid cells
    equal = {"boolean", default = false}, speed = {"boolean", default = false},
    palette = style.palette_option,
  }, {"name", "color", "linewidth", "alpha"}),
  build = function(o, context, label)
    local grid = grid_of(o, context, label, o.n)
    local given = setmetatable({x = {}, y = {}, u = {}, v = {}}, {__index = o})
    for r = 1, grid.height do
      for c = 1, grid.width do
        table.insert(given.x, grid.x0 + (grid.x1 - grid.x0) * ((c - 1) / math.max(1, grid.width - 1)))
        table.insert(given.y, grid.y0 + (grid.y1 - grid.y0) * ((r - 1) / math.max(1, grid.height - 1)))
        table.insert(given.u, grid.u[r][c])
        table.insert(given.v, grid.v[r][c])
      end
    end
    return series.kinds.field.build(given, context, label)
  end,
}

-- ---- streamlines ----
--
-- As in Jobard and Lefer, "Creating evenly-spaced streamlines of arbitrary density" (1997): a line begins
-- where there is none yet and goes both ways until it leaves the grid, comes to rest or to the cell of
-- another one. Places are measured in shares of the grid, in 0..1.

local STEPS = 4       -- of a Runge-Kutta step, to a cell of the mask
local LONGEST = 4     -- length of a line one way
local SHORTEST = 0.08 -- a line of less is left out

local Field = {}
Field.__index = Field

-- The direction of the field at a place, and its speed; nil outside, where it is missing and where it rests.
function Field:at(x, y)
  if x < 0 or x > 1 or y < 0 or y > 1 then return nil end
  local grid = self.grid
  local column, row = x * (grid.width - 1), y * (grid.height - 1)
  local c, r = math.min(math.floor(column), grid.width - 2), math.min(math.floor(row), grid.height - 2)
  local s, t = column - c, row - r
  local function mix(z)
    local a, b = z[r + 1], z[r + 2]
    return (1 - t) * ((1 - s) * a[c + 1] + s * a[c + 2]) + t * ((1 - s) * b[c + 1] + s * b[c + 2])
  end
  local u, v = mix(grid.u), mix(grid.v)
  local dx, dy = u / self.width, v / self.height
  local length = math.sqrt(dx * dx + dy * dy)
  if not (length > self.rest and length < math.huge) then return nil end
  return dx / length, dy / length, math.sqrt(u * u + v * v)
end

-- One step of the classical Runge-Kutta method along the directions, of length h.
function Field:step(x, y, h)
  local a, b = self:at(x, y)
  if not a then return nil end
  local c, d = self:at(x + 0.5 * h * a, y + 0.5 * h * b)
  if not c then return nil end
  local e, f = self:at(x + 0.5 * h * c, y + 0.5 * h * d)
  if not e then return nil end
  local g, i = self:at(x + h * e, y + h * f)
  if not g then return nil end
  return x + h / 6 * (a + 2 * c + 2 * e + g), y + h / 6 * (b + 2 * d + 2 * f + i)
end

local function cell_of(mask, x, y)
  local c = math.min(math.floor(x * mask.n), mask.n - 1)
  return math.min(math.floor(y * mask.n), mask.n - 1) * mask.n + c
end

-- From a place one way (h > 0 or < 0): the points after it. `own` are the cells of this line.
local function march(field, mask, own, x, y, h)
  local points, cell = {}, cell_of(mask, x, y)
  for _ = 1, math.floor(LONGEST / math.abs(h)) do
    x, y = field:step(x, y, h)
    if not x or x < 0 or x > 1 or y < 0 or y > 1 then return points end
    local now = cell_of(mask, x, y)
    if now ~= cell then
      if mask[now] or own[now] then return points end
      own[now], cell = true, now
    end
    points[#points + 1] = {x, y}
  end
  return points
end

-- The cells of a square from its rim to its middle.
local function spiral(n)
  local order = {}
  for ring = 0, (n - 1) // 2 do
    local last = n - 1 - ring
    for k = ring, last do order[#order + 1] = {k, ring} end
    for k = ring + 1, last do order[#order + 1] = {last, k} end
    if last > ring then
      for k = last - 1, ring, -1 do order[#order + 1] = {k, last} end
      for k = last - 1, ring + 1, -1 do order[#order + 1] = {ring, k} end
    end
  end
  return order
end

-- Lists of points {x, y} in shares of the grid.
local function lines_of(field, density)
  local mask = {n = math.max(2, math.floor(24 * density + 0.5))}
  local h, lines = 1 / (STEPS * mask.n), {}
  for _, seed in ipairs(spiral(mask.n)) do
    local x, y = (seed[1] + 0.5) / mask.n, (seed[2] + 0.5) / mask.n
    local start = cell_of(mask, x, y)
    if not mask[start] and field:at(x, y) then
      local own = {[start] = true}
      local after = march(field, mask, own, x, y, h)
      local before = march(field, mask, own, x, y, -h)
      if (#after + #before) * h >= SHORTEST then
        local line = {}
        for i = #before, 1, -1 do line[#line + 1] = before[i] end
        line[#line + 1] = {x, y}
        table.move(after, 1, #after, #line + 1, line)
        lines[#lines + 1] = line
        for cell in pairs(own) do mask[cell] = true end
      end
    end
  end
  return lines
end

-- A field with its scales; what is not finite is counted.
local function field_of(grid, context, label)
  local fastest, missing = 0, 0
  for r = 1, grid.height do
    for c = 1, grid.width do
      local u, v = grid.u[r][c], grid.v[r][c]
      local reason = series.trouble(u) or series.trouble(v)
      if reason then
        context:miss("nodes", reason)
        missing = missing + 1
        grid.u[r][c], grid.v[r][c] = 0 / 0, 0 / 0
      else
        fastest = math.max(fastest, math.abs(u / (grid.x1 - grid.x0)), math.abs(v / (grid.y1 - grid.y0)))
      end
    end
  end
  local n = grid.width * grid.height
  context:count(label, "nodes", n)
  if n > missing and fastest == 0 then context:remark(label .. ": zero everywhere") end
  return setmetatable({grid = grid, width = grid.x1 - grid.x0, height = grid.y1 - grid.y0,
    rest = 1e-6 * fastest}, Field)
end

local function to_segments(field, lines)
  local grid, segments, tips = field.grid, {}, {{}, {}, {}, {}, {}}
  for i, line in ipairs(lines) do
    local segment = {{}, {}, {}}
    for k, p in ipairs(line) do
      segment[1][k], segment[2][k] = grid.x0 + field.width * p[1], grid.y0 + field.height * p[2]
      segment[3][k] = select(3, field:at(p[1], p[2])) or segment[3][k - 1] or 0
    end
    segments[i] = segment
    local k = math.max(2, #line // 2 + 1)
    for c, v in ipairs{segment[1][k - 1], segment[2][k - 1], segment[1][k] - segment[1][k - 1],
      segment[2][k] - segment[2][k - 1], segment[3][k]} do table.insert(tips[c], v) end
  end
  return segments, tips
end

series.kinds.streamlines = {
  usage = "{f = function(x, y) return u, v end, x = {low, high}, y = {low, high}}",
  spec = series.with_pen({
    f = on_grid.f, x = on_grid.x, y = on_grid.y, u = on_grid.u, v = on_grid.v,
    n = {"integer", default = 48, check = options.between(2, 1000)}, -- nodes along each axis, of f
    density = {"number", default = 1, check = options.between(0.1, 5)}, -- of the lines
    speed = {"boolean", default = false},                            -- colour by magnitude
    palette = style.palette_option,
    linewidth = {"number", default = 1.2, check = options.positive},
  }, {"name", "color", "style", "dash", "linewidth", "alpha"}),
  build = function(o, context, label)
    local grid = grid_of(o, context, label, o.n)
    local field = field_of(grid, context, label)
    context:tight()
    if grid.width == 0 or grid.height == 0 then return {} end
    context:see("x", {grid.x0, grid.x1})
    context:see("y", {grid.y0, grid.y1})
    if grid.width < 2 or grid.height < 2 then
      context:remark(("%s: no lines on a grid of %d x %d nodes"):format(label, grid.width, grid.height))
      return {}
    end
    local segments, tips = to_segments(field, lines_of(field, o.density))
    if #segments == 0 then return {} end
    local line = series.pen({color = o.color, style = o.style, dash = o.dash or 1, linewidth = o.linewidth,
      alpha = o.alpha}, context)
    local key = line
    if o.speed then
      local all = {}
      for _, s in ipairs(segments) do table.move(s[3], 1, #s[3], #all + 1, all) end
      context:palette(o.palette, nil, all)
      line, key = ("lc palette lw %g"):format(o.linewidth), ("lc rgb gray lw %g"):format(o.linewidth)
    end
    local head = "with vectors head filled size graph 0.016,22 fixed " .. line
    return {{layer = layers.line, block = {names = {"x", "y", "speed"}, segments = segments},
      using = o.speed and "1:2:3" or "1:2", code = "with lines " .. line,
      legend = o.name and {name = o.name, code = "with lines " .. key}},
      {layer = layers.line, block = {title = label .. ", arrows", names = {"x", "y", "dx", "dy", "speed"},
        segments = {tips}}, using = o.speed and "1:2:3:4:5" or "1:2:3:4", code = head}}
  end,
}
