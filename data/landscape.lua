--- The particle in an energy landscape of *ResNet After All?* (section 3.2): dx/dt = v, dv/dt = -V'(x) -
-- friction v, solved until it rests; the class of a start (x, v) is the minimum of V where it ends, counted
-- from the left.
--
-- The energy E = V + v^2/2 can only fall. So once it is below the barriers beside a minimum, that minimum is
-- certain, and "at rest" may mean that a small part `rest` of what it would take to leave is left. What can
-- be wrong before is the side on which a path leaves a barrier's top (s, 0), and only where it comes near:
-- the error must be small against the distance. So paths that come nearer than a level's `near` are solved
-- again with the next level; those that are too near for the last are refused, never guessed.
--
-- The paper gives no potential. The default is the only one that its authors have published, in later code:
-- V(x) = 0.2 (x - 2) (x - 1/2) (x + 1) (x + 3/5) (x - 8/5) x, with friction 0.2, x in [-1, 2], v in [-2, 2].

local core = require "tide.core"
local options = require "tide.options"
local tide = require "tide"

-- Near the top, errors of size e in the start can change the side of paths that come within about sqrt(e) of
-- it.
local levels = {
  {near = 2e-2, solver = {method = "tsit5", rtol = 1e-8, atol = 1e-8, norm = "sample"}},
  {near = 2e-4, solver = {method = "dopri8", rtol = 1e-12, atol = 1e-12, norm = "sample"}},
  {near = 2e-5, solver = {method = "dopri8", rtol = 1e-14, atol = 1e-14, norm = "sample"}},
}
local GRID = 4001 -- points on which stationary points are looked for

-- Zeros of V' = 1.2 x^5 - 2.5 x^4 - 0.768 x^3 + 2.364 x^2 + 0.176 x - 0.192, that potential's slope.
local published = {minima = {-0.8501528674434504, 0.2689497848188247, 1.8394495326393767},
  barriers = {-0.3294892824715106, 1.1545761657900933}, scale = 1.2}

local function range(v)
  return #v == 2 and math.type(v[1]) and math.type(v[2]) and options.finite(v[1]) and options.finite(v[2])
    and v[1] < v[2],
    "{low, high} with low < high"
end

local spec = {
  n = {"integer", default = 2000, check = options.at_least(1)},
  friction = {"number", default = 0.2, check = options.positive},
  x_range = {"table", default = {-1, 2}, check = range},
  v_range = {"table", default = {-2, 2}, check = range},
  minima = {"table"}, barriers = {"table"},
  scale = {"number", default = published.scale, check = options.positive},
  potential = {"function"}, starts = {"any"},
  rest = {"number", default = 0.01, check = options.between(1e-6, 0.5)},
  seed = {"integer", default = 1}, dtype = tide._dtype_rule,
}

-- The polynomial with V' = scale (x - m_1) (x - s_1) (x - m_2) ...: minima m and barriers s in turn.
local function polynomial(o)
  local points = {}
  if not o.minima then
    o.minima, o.barriers = published.minima, o.barriers or published.barriers
  end
  for i, m in ipairs(o.minima) do
    points[#points + 1] = m
    if i < #o.minima then points[#points + 1] = o.barriers and o.barriers[i] or (m + o.minima[i + 1]) / 2 end
  end
  if #points == 0 or o.barriers and #o.barriers ~= #o.minima - 1 then
    core.raise((
      "data.landscape: minima must list one or more numbers and barriers one less, got %d and %d"):format(
      #o.minima,
      o.barriers and #o.barriers or 0))
  end
  local c = {o.scale} -- of V', highest power last
  for i, root in ipairs(points) do
    if type(root) ~= "number" or i > 1 and root <= points[i - 1] then
      core.raise((
        "data.landscape: minima and barriers must be numbers that rise in turn, got %s after %s"):format(
        options.show(root),
        options.show(points[i - 1])))
    end
    for k = #c + 1, 1, -1 do c[k] = (c[k - 1] or 0) - root * (c[k] or 0) end
  end
  return function(x)
    local sum = x * (c[#c] / #c)
    for k = #c - 1, 1, -1 do sum = (sum + c[k] / k) * x end
    return sum
  end
end

local function slope_of(V) return tide.grad(function(x) return V(x):sum() end) end

-- Zeros of V' in [low, high]; true where V' rises, at a minimum. Each is looked at through finer and finer
-- grids.
local function stationary(slope, low, high)
  local out = {}
  local x = tide.linspace(low, high, GRID, {dtype = "float64"})
  local xs, s = x:totable(), slope(x):totable()
  local before
  for i = 1, GRID do
    if s[i] ~= 0 then
      if before and (s[before] < 0) ~= (s[i] < 0) then
        local a, b, rises = xs[before], xs[i], s[i] > 0
        for _ = 1, 4 do
          local fine = tide.linspace(a, b, 101, {dtype = "float64"})
          local fs, values = fine:totable(), slope(fine):totable()
          local k = 1
          while k < 100 and (values[k + 1] > 0) ~= rises do k = k + 1 end
          a, b = fs[k], fs[k + 1]
        end
        out[#out + 1] = {x = (a + b) / 2, minimum = rises}
      end
      before = i
    end
  end
  return out
end

local function value_at(V, x) return V(tide.tensor({x}, {dtype = "float64"})):item() end

-- Minima and barriers within reach of the energy `top`.
local function survey(V, slope, low, high, top)
  local width, margin = high - low, 0
  while value_at(V, low - margin) <= top or value_at(V, high + margin) <= top do
    margin = margin == 0 and width / 8 or margin * 2
    if margin > 1e4 * width then
      core.raise(("data.landscape: the potential does not hold a particle of energy %g: it must grow beyond "
        .. "it on both sides of x_range"):format(top))
    end
  end
  local points = stationary(slope, low - margin, high + margin)
  local minima, barriers = {}, {}
  for i, p in ipairs(points) do
    p.V = value_at(V, p.x)
    if p.minimum ~= (i % 2 == 1) then
      core.raise("data.landscape: the potential must be smooth, with finitely many minima")
    end
    table.insert(p.minimum and minima or barriers, p)
  end
  for i, b in ipairs(barriers) do
    b.size = math.min(b.x - minima[i].x, minima[i + 1].x - b.x)
    local d = b.size * 1e-3
    local curvature = (value_at(V, b.x + d) - 2 * b.V + value_at(V, b.x - d)) / d ^ 2
    b.rate = math.sqrt(math.max(-curvature, 1e-6))
  end
  for i, m in ipairs(minima) do
    m.leave = math.min(barriers[i - 1] and barriers[i - 1].V or math.huge, barriers[i] and barriers[i].V
      or math.huge)
    if m.leave == math.huge then m.leave = math.max(top, m.V + 1) end
  end
  return minima, barriers
end

-- The minimum where each start rests, and how near its path came to the top of a barrier, in units of the
-- well beside it.
local function roll(starts, world, solver)
  local V, minima, barriers, friction = world.V, world.minima, world.barriers, world.friction
  local rate = friction
  for _, b in ipairs(barriers) do rate = math.max(rate, b.rate) end
  -- slow passages of a top cannot hide between two of them
  local times = tide.linspace(0, 10 / rate, 201, {dtype = "float64"})
  local label, nearest, active, state = {}, {}, {}, starts
  for i = 1, #starts do label[i], nearest[i], active[i] = 0, math.huge, i end
  for round = 1, math.huge do
    if round > 1000 then core.raise("data.landscape: particles do not come to rest; raise friction") end
    local ys = tide.odeint(world.field, state, times, solver)
    local closest
    for _, b in ipairs(barriers) do
      local q, v = (ys:slice(3, 1, 1) - b.x) / b.size, ys:slice(3, 2, 2) / ((b.rate + friction) * b.size)
      local distance = (q:square() + v:square()):min(1):sqrt()
      closest = closest and tide.where(distance:lt(closest), distance, closest) or distance
    end
    state = ys[-1]
    local near = closest and closest:reshape{-1}:totable()
    local x = state:slice(2, 1, 1)
    local energy, xs = (V(x) + state:slice(2, 2, 2):square() / 2):reshape{-1}:totable(),
      x:reshape{-1}:totable()
    local rows, still = {}, {}
    for k, i in ipairs(active) do
      if near then nearest[i] = math.min(nearest[i], near[k]) end
      local m = 1
      while barriers[m] and xs[k] > barriers[m].x do m = m + 1 end
      if energy[k] - minima[m].V <= world.rest * (minima[m].leave - minima[m].V) then
        label[i] = m
      else
        rows[#rows + 1], still[#still + 1] = k, i
      end
    end
    if #still == 0 then return label, nearest end
    active, state = still, state:take(tide.tensor(rows, {dtype = "int64"}))
  end
end

local function resolve(starts, world)
  local label, rows, part = {}, {}, starts
  for i = 1, #starts do rows[i] = i end
  for number, level in ipairs(levels) do
    local found, nearest = roll(part, world, level.solver)
    local unsure, positions = {}, {}
    for k, row in ipairs(rows) do
      label[row] = found[k]
      if nearest[k] < level.near then unsure[#unsure + 1], positions[#positions + 1] = row, k end
    end
    if #unsure == 0 then return label end
    if number == #levels then
      local worst = starts[unsure[1]]:totable()
      core.raise(("data.landscape: the start x = %.9g, v = %.9g is too near a separatrix to be sure where it "
        .. "ends; take another seed or other starts"):format(
        worst[1], worst[2]))
    end
    rows, part = unsure, part:take(tide.tensor(positions, {dtype = "int64"}))
  end
end

local function draw(o)
  local u = core.random("uniform", {o.n, 2}, "float64", o.seed)
  local x, v = o.x_range, o.v_range
  return u * core.tensor_from({x[2] - x[1], v[2] - v[1]}, "float64") + core.tensor_from({x[1], v[1]},
    "float64")
end

return {
  landscape = function(opts)
    local o = options.check("data.landscape", opts, spec)
    local starts = o.starts
    if starts ~= nil then
      local shape = tide.tree.is_tensor(starts) and starts:shape() or {}
      if #shape ~= 2 or shape[2] ~= 2 or shape[1] == 0 then
        core.raise("data.landscape: starts must be a tensor of shape {n, 2}, a row (x, v) per particle, got "
          .. (#shape > 0 and
          "shape {" .. table.concat(shape, ", ") .. "}" or options.show(starts)))
      end
    else
      starts = draw(o)
    end
    local x = starts:to(o.dtype) -- the labels are those of the numbers that are handed out
    starts = x:to("float64")
    local V = o.potential or polynomial(o)
    local energy = V(starts:slice(2, 1, 1)) + starts:slice(2, 2, 2):square() / 2
    if not tide.tree.is_tensor(energy) or not options.finite(energy:sum():item()) then
      core.raise("data.landscape: potential(x) must return a finite tensor of x's shape for every start")
    end
    local xs = starts:slice(2, 1, 1)
    local world = {V = V, slope = slope_of(V), friction = o.friction, rest = o.rest}
    function world.field(_, y)
      local place, speed = y:slice(2, 1, 1), y:slice(2, 2, 2)
      return tide.cat({speed, -world.slope(place) - speed * o.friction}, 2)
    end
    world.minima, world.barriers = survey(V, world.slope, math.min(xs:min():item(), o.x_range[1]),
      math.max(xs:max():item(), o.x_range[2]),
      energy:max():item())
    local out = {x = x, y = tide.tensor(resolve(starts, world), {dtype = "int64"}), minima = {},
      barriers = {}, potential = V, field = world.field}
    for i, m in ipairs(world.minima) do out.minima[i] = m.x end
    for i, b in ipairs(world.barriers) do out.barriers[i] = b.x end
    return out
  end,
}
