--- The theory lab: what is true of a method before it solves anything. Every function takes a name, a name
-- with its option ({"bdf", order = 2}, {"theta", theta = x}) or the coefficients themselves ({A =, b =, c =},
-- {alpha =, beta =}).
--
-- formula.lua finds the coefficients; conditions.lua asks about orders; characteristic.lua makes of a method
-- the polynomial that says all about y' = lambda y, and stability.lua and locus.lua read it.

local characteristic = require "tide.theory.characteristic"
local conditions = require "tide.theory.conditions"
local core = require "tide.core"
local formula = require "tide.theory.formula"
local locus = require "tide.theory.locus"
local options = require "tide.base.options"
local shown = require "tide.base.show"
local paths = require "tide.theory.paths"
local stability = require "tide.theory.stability"
local tensor = require "tide.tensor"
local text = require "tide.theory.text"
local tree = require "tide.base.tree"

local M = {spectrum = paths.spectrum, stiffness_ratio = paths.stiffness_ratio,
  convergence = paths.convergence}
local raise, show = core.raise, options.show

local function formula_of(name, method) return formula.of("theory." .. name, method) end
local function polynomial_of(name, method) return characteristic.of(formula_of(name, method)) end

--- order(method) -> p, the first condition that fails: see help("tide.theory.order").
function M.order(method) return conditions.order(formula_of("order", method)) end

--- consistent(method) -> boolean, what fails: see help("tide.theory.consistent").
function M.consistent(method) return conditions.consistent(formula_of("consistent", method)) end

--- error_constant(method) -> number: see help("tide.theory.error_constant").
function M.error_constant(method) return conditions.error_constant(formula_of("error_constant", method)) end

--- coefficients(method) -> table: see help("tide.theory.coefficients").
function M.coefficients(method)
  local m = formula_of("coefficients", method)
  local function copy(v)
    if type(v) ~= "table" then return v end
    local out = {}
    for k, x in pairs(v) do out[k] = copy(x) end
    return out
  end
  if m.kind == "one-step" then return shown.printable(copy{A = m.A, b = m.b, c = m.c}) end
  if m.kind == "multistep" then return shown.printable(copy{alpha = m.alpha, beta = m.beta}) end
  if m.kind == "pece" then
    return shown.printable{predictor = copy{alpha = m.predictor.alpha, beta = m.predictor.beta},
      corrector = copy{alpha = m.corrector.alpha, beta = m.corrector.beta}}
  end
  raise(("theory.coefficients: %s is not a formula in y alone"):format(m.name))
end

-- ---- stability ----

local function is_pair(z)
  return type(z) == "table" and #z == 2 and type(z[1]) == "number" and type(z[2]) == "number"
end

local function modulus_at(p, z, where)
  if not is_pair(z) then
    raise(("%s must be {re, im}, got %s"):format(where, type(z) == "table" and "a table" or show(z)))
  end
  return characteristic.largest(p, z[1] + 0.0, z[2] + 0.0)
end

--- stability(method, z) -> number or list: see help("tide.theory.stability").
function M.stability(method, z)
  local p = polynomial_of("stability", method)
  if type(z) == "number" then z = {z, 0} end
  if is_pair(z) then return modulus_at(p, z, "theory.stability: z") end
  local points = tree.is_tensor(z) and z:to("float64"):totable() or z
  if type(points) ~= "table" or type(points[1]) ~= "table" then
    raise(("theory.stability: z must be {re, im}, a list of such pairs or a tensor {n, 2}, got %s"):format(
      tree.is_tensor(z) and ("shape {%s}"):format(table.concat(z:shape(), ", ")) or show(z)))
  end
  local out = {}
  for i, point in ipairs(points) do out[i] = modulus_at(p, point, ("theory.stability: z[%d]"):format(i)) end
  return tree.is_tensor(z) and tensor.tensor(out, {dtype = "float64"}) or out
end

--- zero_stable(method) -> boolean, roots: see help("tide.theory.zero_stable").
function M.zero_stable(method)
  local stable, list = stability.root_condition(polynomial_of("zero_stable", method))
  return stable, text.roots(list)
end

--- a_stable(method) -> boolean, degrees: see help("tide.theory.a_stable").
function M.a_stable(method) return stability.a_stable(polynomial_of("a_stable", method)) end

--- l_stable(method) -> boolean, |R| at infinity: see help("tide.theory.l_stable").
function M.l_stable(method)
  local p = polynomial_of("l_stable", method)
  local last = characteristic.largest_at_infinity(p)
  return last < 1e-10 and stability.a_stable(p), last
end

--- intervals(method) -> real, imaginary: see help("tide.theory.intervals").
function M.intervals(method) return stability.intervals(polynomial_of("intervals", method)) end

local function range(v)
  return #v == 2 and type(v[1]) == "number" and type(v[2]) == "number" and options.finite(v[1])
    and options.finite(v[2]) and v[1] < v[2], "{low, high}"
end

local region_spec = {
  method = {"string|table", required = true},
  re = {"table", default = {-5, 3}, check = range}, im = {"table", default = {-4, 4}, check = range},
  n = {"integer", default = 101, check = options.between(2, 4000)},
}

--- region{method =, re =, im =, n =} -> {re =, im =, value =}: see help("tide.theory.region").
function M.region(opts)
  local o = options.check("theory.region", opts, region_spec)
  local m, float64 = formula_of("region", o.method), {dtype = "float64"}
  local re = tensor.linspace(o.re[1], o.re[2], o.n, float64)
  local im = tensor.linspace(o.im[1], o.im[2], o.n, float64)
  local rows = locus.grid(characteristic.of(m), re:totable(), im:totable())
  return text.region{re = re, im = im, value = tensor.tensor(rows, float64), name = m.name}
end

--- boundary_locus(method, n) -> {n, 2}: see help("tide.theory.boundary_locus").
function M.boundary_locus(method, n)
  n = n == nil and 200 or n
  local count = options.integer(n)
  if not count or count < 2 or count > 1e6 then
    raise("theory.boundary_locus: n must be an integer in 2..1000000, got " .. show(n))
  end
  return tensor.tensor(locus.boundary(polynomial_of("boundary_locus", method), count), {dtype = "float64"})
end

return M
