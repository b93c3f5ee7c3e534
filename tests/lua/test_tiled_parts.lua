--- Fields whose state is a table of tensors run tile by tile as well (core/autodiff/tape_parts.c): the
-- numbers of a few samples at a time, for any number of threads; what joins samples, or has a parameter for
-- each, is solved whole.

local check = require "check"
local tide = require "tide"
local nn = tide.nn

local tests = {}

local N = 701 -- no multiple of a tile

local close = check.close

local function f64(shape, seed) return tide.randn(shape, {seed = seed, dtype = "float64"}) end

-- What tide.explain says.
local function tiles_of(fn, ...)
  local lines, shown = {}, print
  -- luacheck: ignore quiet
  local quiet <close> = setmetatable({}, {__close = function() rawset(_G, "print", shown) end})
  rawset(_G, "print", function(text) lines[#lines + 1] = text end)
  tide.explain(fn, ...)
  return tonumber(table.concat(lines, "\n"):match("each evaluation is cut into (%d+)")) or 1
end

-- Sum of log p by a model, with noise that stays the same.
local function of_flow(model, solver)
  return function(m, x, noise) return (m:log_prob(x, {noise = noise, solver = solver})):sum() end, model
end

local function flow(divergence)
  return nn.cnf{dim = 3, hidden = 48, divergence = divergence, dtype = "float64", seed = 1}
end

local function gradients(loss, p, x, noise)
  local value, g = tide.value_and_grad(function(q) return loss(q.model, q.x, noise) end)({model = p, x = x})
  return value:item(), tide.tree.tensors(g, true)
end

-- The same of a few samples at a time, which are solved whole.
local function by_pieces(loss, model, x, noise)
  local total, sums, pieces = 0, nil, {}
  for first = 1, N, 100 do
    local last = math.min(first + 99, N)
    local part = noise and noise:slice(1, first, last)
    local value, grads = gradients(loss, model, x:slice(1, first, last), part)
    total = total + value
    pieces[#pieces + 1] = table.remove(grads) -- x is the last one
    for i, g in ipairs(grads) do
      sums = sums or {}
      sums[i] = sums[i] and sums[i] + g or g
    end
  end
  sums[#sums + 1] = tide.cat(pieces, 1)
  return total, sums
end

for _, kind in ipairs{"hutchinson", "exact"} do
  for _, gradient in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    tests[("a flow, %s divergence, %s: the sum of its pieces"):format(kind, gradient)] = function()
      local solver = {method = "rk4", steps = 3, gradient = gradient}
      if gradient == "adjoint" then solver = {method = "rk4", steps = 3, gradient = gradient,
        adjoint_rtol = 1e-9, adjoint_atol = 1e-9} end
      local loss, model = of_flow(flow(kind), solver)
      local x, noise = f64({N, 3}, 2), kind == "hutchinson" and f64({N, 3}, 3) or nil
      assert(tiles_of(tide.grad(function(m) return loss(m, x, noise) end), model) > 1)
      local value, grads = gradients(loss, model, x, noise)
      local total, sums = by_pieces(loss, model, x, noise)
      assert(math.abs(value - total) < 1e-9 * math.abs(total))
      local tolerance = gradient == "adjoint" and 1e-6 or 1e-11
      for i, g in ipairs(grads) do close(g, sums[i], tolerance, "gradient " .. i) end
    end
  end
end

tests["same bits for 1, 2, 3, 4 threads"] = function()
  local loss, model = of_flow(flow("hutchinson"), {rtol = 1e-4, atol = 1e-4})
  local x, noise = f64({N, 3}, 2), f64({N, 3}, 3)
  check.same_for_threads(function()
    local value, grads = gradients(loss, model, x, noise)
    return {tide.full({1}, value, {dtype = "float64"}), table.unpack(grads)}
  end)
end

tests["second derivatives of it"] = function()
  local loss, model = of_flow(flow("hutchinson"), {method = "rk4", steps = 2})
  local x, noise, v = f64({N, 3}, 2), f64({N, 3}, 3), f64({N, 3}, 4)
  local function slope(y)
    local g = tide.grad(function(z) return loss(model, z, noise) end)(y)
    return (g * v):sum()
  end
  local h = 1e-4
  local wanted = (slope(x + v * h):item() - slope(x - v * h):item()) / (2 * h)
  local got = (tide.grad(slope)(x) * v):sum():item()
  assert(math.abs(got - wanted) < 1e-6 * math.abs(wanted), got .. " " .. wanted)
end

-- Fields of a table {a, b}, N samples each.
local w = f64({6, 400}, 5)
local function wide(y) return y:matmul(w):tanh():matmul(w:transpose(1, 2)) * 0.01 end
local fields = {
  ["a mean over the samples"] = function(_, s) return {a = wide(s.a) - s.a:mean(1, true), b = -s.b} end,
  ["samples in another order"] = function(_, s)
    return {a = wide(s.a), b = s.a:slice(1, -1, 1, -1):slice(2, 1, 2)}
  end,
}
for name, f in pairs(fields) do
  tests["solved whole: " .. name] = function()
    local y0 = {a = f64({N, 6}, 6), b = f64({N, 2}, 7)}
    local ys = tide.odeint(f, y0, {0, 0.2}, {method = "euler", steps = 2})
    local a, b = y0.a, y0.b
    for _ = 1, 2 do
      local s = f(0, {a = a, b = b})
      a, b = a + s.a * 0.1, b + s.b * 0.1
    end
    close(ys.a[2], a, 1e-12, name)
    close(ys.b[2], b, 1e-12, name)
  end
end

tests["a parameter for each sample has its gradient"] = function()
  local y0, p = {a = f64({N, 6}, 6), b = f64({N, 2}, 7)}, f64({N, 1}, 8)
  local function loss(q, first, last)
    local part = {a = y0.a:slice(1, first, last), b = y0.b:slice(1, first, last)}
    local function f(t, s) return {a = wide(s.a) * q, b = s.b * q + t} end
    local ys = tide.odeint(f, part, {0, 1}, {method = "rk4", steps = 2})
    return ys.a[2]:square():sum() + ys.b[2]:sum()
  end
  local whole = tide.grad(function(q) return loss(q, 1, N) end)(p)
  for first = 1, N, 350 do
    local last = math.min(first + 99, N)
    close(whole:slice(1, first, last), tide.grad(function(q) return loss(q, first, last) end)(
      p:slice(1, first, last)), 1e-12, "samples from " .. first)
  end
end

tests["failing allocations: an error or the right gradient, and nothing is lost"] = function()
  local loss, model = of_flow(flow("hutchinson"), {method = "rk4", steps = 1})
  local x, noise = f64({N, 3}, 2), f64({N, 3}, 3)
  local function value()
    local _, grads = gradients(loss, model, x, noise)
    return grads[1]:sum():item()
  end
  check.survives(value, 700, 23, 10)
end

return tests
