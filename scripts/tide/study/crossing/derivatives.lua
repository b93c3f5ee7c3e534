--- Derivatives along paths: do steps keep orientation, how far apart does the field drive neighbours?

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local linalg = require "tide.tensor.linalg"
local ode = require "tide.ode"
local options = require "tide.base.options"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise, show = core.raise, options.show

local function check_state(where, y)
  if not tree.is_tensor(y) or y:rank() < 2 then
    raise(("%s: y must be a tensor of states, {points, ...}, got %s"):format(where,
      tree.is_tensor(y) and ("shape {%s}"):format(table.concat(y:shape(), ", ")) or show(y)))
  end
  return #y, y:numel() // math.max(1, #y)
end

local function check_map(where, out)
  if tree.is_tensor(out) then return end
  raise(("%s: map must return a tensor of states, got %s"):format(where, show(out)))
end

local function at_each(where, map, y)
  local points, dim = check_state(where, y)
  local out, pull = autodiff.vjp(map, y)
  check_map(where, out)
  if out:numel() ~= y:numel() then
    raise(("%s: map must keep the shape {%s}, it gave {%s}"):format(where,
      table.concat(y:shape(), ", "), table.concat(out:shape(), ", ")))
  end
  local rows, unit = {}, tensor.eye(dim, {dtype = y:dtype()})
  for r = 1, dim do
    rows[r] = pull(unit[r]:reshape{1, dim}:broadcast_to{points, dim}:reshape(y:shape()):clone()):reshape{
      points, dim}
  end
  return tensor.stack(rows, 2)
end

--- jacobians(map, y) -> {points, dim, dim}: the Jacobian of map (for instance a field at one time) at each
-- state of y {points, ...}, a row per pullback. The samples must not influence each other.
function M.jacobians(map, y) return at_each("crossing.jacobians", map, y) end

--- step_jacobians(field, t, h, y, method) -> {points, dim, dim}: the derivative of one step from y(t) to t +
-- h; for "euler" it is I + hJ.
function M.step_jacobians(field, t, h, y, method)
  options.argument("crossing.step_jacobians", "t", t, "number")
  options.argument("crossing.step_jacobians", "h", h, "number")
  return at_each("crossing.step_jacobians",
    function(z) return ode.odeint(field, z, {t, t + h}, {method = method or "euler", steps = 1})[-1] end, y)
end

--- orientation_of(jacobians) -> {negative =, smallest =, least_det =, points =}: how many of the matrices
-- {points, dim, dim} have a determinant <= 0, the smallest singular value of all, the least determinant.
function M.orientation_of(jacobians)
  if not tree.is_tensor(jacobians) or jacobians:rank() ~= 3 then
    raise("crossing.orientation_of: expected a tensor {points, dim, dim}, as crossing.step_jacobians "
      .. "returns, got " .. show(jacobians))
  end
  local out = {negative = 0, smallest = math.huge, least_det = math.huge, points = #jacobians}
  if jacobians:numel() == 0 then return out end
  local A = jacobians:to("float64")
  out.smallest = linalg.svdvals(A):min():item()
  local det = linalg.det(A)
  out.negative, out.least_det = det:le(0):sum():item(), det:min():item()
  return out
end

local lipschitz_spec = {iterations = {"integer", default = 50, check = options.at_least(1)},
  seed = {"integer", default = 1}}

--- lipschitz(map, y, {iterations =, seed =}) -> {points}: the largest singular value of the Jacobian of map
-- at each state of y {points, ...}, from below, by power iteration on J^T J (a jvp and a pullback each); any
-- dimension.
function M.lipschitz(map, y, opts)
  local o = options.check("crossing.lipschitz", opts, lipschitz_spec)
  local points = check_state("crossing.lipschitz", y)
  local function norm(v) return v:reshape{points, -1}:square():sum(2, true):sqrt() end
  local function normalised(v) return (v:reshape{points, -1} / (norm(v) + 1e-30)):reshape(y:shape()) end
  local out, pull = autodiff.vjp(map, y)
  check_map("crossing.lipschitz", out)
  local v, length = normalised(tensor.randn(y:shape(), {dtype = y:dtype(), seed = o.seed})), nil
  local push = autodiff.compile(function(x, direction) return select(2, autodiff.jvp(map, x, direction)) end)
  for _ = 1, o.iterations do
    local u = push(y, v)
    length = norm(u)
    v = normalised(pull(u))
  end
  return length:reshape{-1}
end

return M
