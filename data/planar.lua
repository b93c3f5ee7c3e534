--- Distributions in the plane that densities are tried on. Classes are as equally large as n allows; the
-- order is random, so that any stretch is a fair sample.
--
-- Shapes and sizes: moons and circles as in scikit-learn (datasets.make_moons, make_circles), the others as
-- in FFJORD (Grathwohl et al. 2019), which takes the pinwheel from Johnson et al. (2016).

local core = require "tide.core"
local options = require "tide.options"
local tensor = require "tide.tensor"

-- A tensor {n} of numbers in 0..1, or normal ones, of one of eight streams of the seed.
local function stream(o, law, k) return core.random(law, {o.n}, "float64", o.seed * 8 + k) end

-- i = j k + rest, of whole numbers >= 0 in float64: k, and the rest.
local function divided(i, j)
  local k = (i / j):to("int64"):to("float64")
  return k, i - k * j
end

-- Classes 1..most, int64 {n}, in random order.
local function labels(o, most)
  local _, rest = divided(core.arange(0, 1, o.n, "float64"), most)
  return (rest:to("int64") + 1):take(core.permutation(o.n, o.seed * 8 + 7))
end

local function points(o, x, y, class)
  local xy = tensor.stack({x, y}, 2)
  if o.noise and o.noise > 0 then
    xy = xy + tensor.stack({stream(o, "normal", 5), stream(o, "normal", 6)}, 2) * o.noise
  end
  return {x = xy:to(o.dtype), y = class}
end

local makers, extra = {}, {}

extra.moons = {noise = 0.1}
function makers.moons(o)
  local class, angle = labels(o, 2), stream(o, "uniform", 0) * math.pi
  local upper = class:eq(1)
  return points(o, tensor.where(upper, angle:cos(), -angle:cos() + 1),
    tensor.where(upper, angle:sin(), -angle:sin() + 0.5), class)
end

extra.circles = {noise = 0.05}
function makers.circles(o)
  local class, angle = labels(o, 2), stream(o, "uniform", 0) * (2 * math.pi)
  local radius = tensor.where(class:eq(1), 1, 0.5):to("float64")
  return points(o, angle:cos() * radius, angle:sin() * radius, class)
end

extra.eight_gaussians = {noise = 0.35, radius = 2.8}
function makers.eight_gaussians(o)
  local class = labels(o, 8)
  local angle = (class:to("float64") - 1) * (math.pi / 4)
  return points(o, angle:cos() * o.radius, angle:sin() * o.radius, class)
end

extra.pinwheel = {radial = 0.3, tangential = 0.1, rate = 0.25}
function makers.pinwheel(o)
  local class = labels(o, 5)
  local r, s = stream(o, "normal", 0) * o.radial + 1, stream(o, "normal", 1) * o.tangential
  local angle = (class:to("float64") - 1) * (2 * math.pi / 5) + r:exp() * o.rate
  local c, d = angle:cos(), angle:sin()
  return points(o, (r * c + s * d) * 2, (s * c - r * d) * 2, class)
end

-- Every other square of a board of 4 x 4, 2 wide, is a class.
extra.checkerboard = {}
function makers.checkerboard(o)
  local class = labels(o, 8)
  local row, column = divided(class:to("float64") - 1, 4)
  local _, odd = divided(column, 2)
  return points(o, (stream(o, "uniform", 0) + column) * 2 - 4,
    (stream(o, "uniform", 1) + row * 2 + odd) * 2 - 4, class)
end

extra.spirals = {noise = 0.1}
function makers.spirals(o)
  local class, angle = labels(o, 2), stream(o, "uniform", 0):sqrt() * (3 * math.pi)
  local side = tensor.where(class:eq(1), 1, -1):to("float64") / 3
  return points(o, (stream(o, "uniform", 1) * 0.5 - angle:cos() * angle) * side,
    (stream(o, "uniform", 2) * 0.5 + angle:sin() * angle) * side, class)
end

local M = {}
for name, make in pairs(makers) do
  local spec = {n = {"integer", default = 1000, check = options.at_least(1)},
    seed = {"integer", default = 1}, dtype = tensor._dtype_rule}
  for key, default in pairs(extra[name]) do
    spec[key] = {"number", default = default, check = options.not_negative}
  end
  M[name] = function(opts) return make(options.check("data." .. name, opts, spec)) end
end
return M
