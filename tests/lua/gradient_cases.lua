--- What test_gradients and test_gradients_composed share: a field with parameters, a loss of its solve, and
-- how results are compared.

local tide = require "tide"

local M = {}

function M.f64(x) return tide.tensor(x, {dtype = "float64"}) end

--- The numbers of a tensor or of a tree of them, in the order of its keys.
function M.flat(x)
  if type(x) ~= "table" then return x:reshape{-1}:totable() end
  local out, keys = {}, {}
  for k in pairs(x) do keys[#keys + 1] = k end
  table.sort(keys)
  for _, k in ipairs(keys) do table.move(M.flat(x[k]), 1, #M.flat(x[k]), #out + 1, out) end
  return out
end

function M.same_bits(a, b, what)
  a, b = M.flat(a), M.flat(b)
  assert(#a == #b and #a > 0, what)
  for i = 1, #a do assert(a[i] == b[i], ("%s: element %d is %.17g and %.17g"):format(what, i, a[i], b[i])) end
end

function M.near(a, b, tol, what)
  a, b = M.flat(a), M.flat(b)
  assert(#a == #b and #a > 0, what)
  local size, worst = 1e-300, 0
  for i = 1, #a do
    size = math.max(size, math.abs(b[i]))
    local d = math.abs(a[i] - b[i])
    if not (d <= worst) then worst = d end
  end
  assert(worst <= tol * size, ("%s: off by %.3g of the largest, at most %.3g"):format(what, worst / size,
    tol))
end

function M.check(fn, p, what, tolerance, step)
  local ok, worst = tide.gradcheck(fn, p, {step = step or 1e-5, tolerance = tolerance or 1e-8})
  assert(ok, ("%s: gradcheck off by %.3g"):format(what, worst))
end

-- A time-dependent nonlinear field with parameters, and a loss of all its outputs.
function M.field(p)
  return function(t, y) return (y:matmul(p.w) + p.b * t):tanh() + (y * (t * 0.3)):sin() end
end

function M.parameters()
  return {w = M.f64{{-0.3, 1.1}, {-0.9, 0.2}}, b = M.f64{0.1, -0.2}, y0 = M.f64{{0.5, -1}, {0.2, 0.3}}}
end

function M.loss_of(ys) return (ys * ys * M.f64{1, 0.5} + ys:sin()):sum() end

function M.solve_loss(times, opts)
  return function(p) return M.loss_of((tide.odeint(M.field(p), p.y0, times, opts))) end
end

M.spans = {{0, 1}, {0, 0.33, 0.71, 1}, {1, 0.4, 0.1}, {0, 0.05, 0.1, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16,
  0.17, 0.18, 0.19, 0.2, 0.5, 0.9}}

return M
