--- leapfrog_verlet: states {q, p}, energy over long times, steps that go back, gradients, what it refuses.

local check = require "check"
local tide = require "tide"

local fails, near = check.fails, check.near
local F64 = {dtype = "float64"}
local tests = {}

local function pendulum(_, y) return {q = y.p, p = -(y.q:sin())} end
local function driven(t, y) return {q = y.p / (1 + t), p = tide.cos(2 * t) - y.q:sin()} end
local function start(dtype)
  local o = {dtype = dtype or "float64"}
  return {q = tide.tensor({{1, 0.3}, {-0.4, 2}}, o), p = tide.tensor({{0, 0.5}, {1, -0.2}}, o)}
end
local function verlet(o)
  o.method = "leapfrog_verlet"
  return o
end
local function distance(a, b, i)
  return math.max((a.q[i] - b.q[i]):abs():max():item(), (a.p[i] - b.p[i]):abs():max():item())
end

tests["its row"] = function()
  for _, m in ipairs(tide.ode.methods()) do
    if m.name == "leapfrog_verlet" then
      assert(m.family == "symplectic" and m.order == 2 and not m.adaptive and not m.implicit and not m.A)
      assert(table.concat(m.gradients, " ") == "direct checkpoint reversible forward" and m.dense_order == 2)
      return
    end
  end
  error "it is not in the list"
end

tests["steps are kick, drift, kick, with the force at the time of the position"] = function()
  local q, p, h = 1, 0.5, 0.1
  for n = 0, 9 do
    local t = n * h
    p = p + h / 2 * (math.cos(2 * t) - math.sin(q))
    q = q + h * p / (1 + t + h / 2)
    p = p + h / 2 * (math.cos(2 * (t + h)) - math.sin(q))
  end
  local y = tide.odeint(driven, {q = tide.tensor({1}, F64), p = tide.tensor({0.5}, F64)}, {0, 1},
    verlet{steps = 10})
  near(y.q[2][1], q, 1e-14)
  near(y.p[2][1], p, 1e-14)
end

tests["order 2, at the end and between the steps, forwards and backwards"] = function()
  for _, f in ipairs{pendulum, driven} do
    for _, t in ipairs{{0, 0.37, 1}, {1, 0.63, 0}} do
      local exact = tide.odeint(f, start(), t, {rtol = 1e-12, atol = 1e-12})
      local function errors(n)
        local y = tide.odeint(f, start(), t, verlet{steps = n})
        return distance(y, exact, 2), distance(y, exact, 3)
      end
      local inside, at_end = errors(100)
      local inside2, at_end2 = errors(200)
      near(math.log(at_end / at_end2, 2), 2, 0.05)
      near(math.log(inside / inside2, 2), 2, 0.1)
    end
  end
end

tests["per_sample: each sample as it would be alone, gradients too"] = function()
  local y0 = {q = tide.tensor({{1, 0.3}, {-0.4, 2}, {0.7, 0}}, F64), p = tide.ones({3, 2}, F64)}
  local function loss(o)
    return function(y)
      local ys = tide.odeint(pendulum, y, {0, 0.55, 1}, verlet(o))
      return (ys.q * ys.p):sum()
    end
  end
  local value, together = tide.value_and_grad(loss{steps = 10})(y0)
  for _, gradient in ipairs{"direct", "checkpoint", "reversible"} do
    local o = {steps = 10, per_sample = true, gradient = gradient}
    local alone, grad = tide.value_and_grad(loss(o))(y0)
    near(alone:item(), value:item(), 1e-14)
    assert((grad.q - together.q):abs():max():item() < 1e-12)
    assert((grad.p - together.p):abs():max():item() < 1e-12)
  end
end

tests["evaluations: two a step, the first dp, and two that look whether the parts are separate"] = function()
  local calls = 0
  local function f(t, y)
    calls = calls + 1
    return pendulum(t, y)
  end
  local _, stats = tide.odeint(f, start(), {0, 1}, verlet{steps = 10, eager = true})
  assert(stats.nfe == 23 and calls == 23)
  _, stats = tide.odeint(f, start(), {0, 0.55, 1}, verlet{steps = 10, eager = true})
  assert(stats.nfe == 24) -- dq at the end of the step with an output
end

-- The energy of a pendulum over 10,000 times units: it swings with h^2, and does not drift; rk4's falls.
tests["the energy stays where it is over long times"] = function()
  local function energy(y)
    return y.p:square() / 2 - y.q:cos()
  end
  local y0 = {q = tide.tensor({1.5}, F64), p = tide.tensor({0}, F64)}
  local times = {0}
  for i = 1, 200 do times[i + 1] = 50 * i end
  local function drift(o)
    local y = tide.odeint(pendulum, y0, times, o)
    local e = energy(y) - energy(y0)
    return e:abs():slice(1, 2, 21):max():item(), e:abs():slice(1, 182, 201):max():item()
  end
  local early, late = drift(verlet{step_size = 0.25})
  assert(late < 0.02 and late < 1.5 * early, ("%g, then %g"):format(early, late))
  local _, rk4 = drift{method = "rk4", step_size = 0.25}
  assert(rk4 > 2 * late, rk4)
end

tests["backwards over the same grid it comes home"] = function()
  for _, f in ipairs{pendulum, driven} do
    local there = tide.odeint(f, start(), {0, 10}, verlet{steps = 200})
    local home = tide.odeint(f, {q = there.q[2], p = there.p[2]}, {10, 0}, verlet{steps = 200})
    assert((home.q[2] - start().q):abs():max():item() < 1e-12)
    assert((home.p[2] - start().p):abs():max():item() < 1e-12)
  end
end

tests["gradients: of the steps, of second order, with checkpoints bit for bit, in float32"] = function()
  local function loss(o, dtype)
    return function(w)
      local function f(t, y) return {q = y.p * w.m, p = tide.cos(t) - w.k * y.q:sin()} end
      local y0 = start(dtype)
      local y = tide.odeint(f, {q = y0.q * w.m, p = y0.p}, {0, 0.33, 0.5, 1}, verlet(o))
      return (y.q:square() + y.p:sin()):sum()
    end
  end
  local function parameters(dtype)
    return {m = tide.tensor({0.8, 1.1}, {dtype = dtype}), k = tide.tensor({1.2, 0.7}, {dtype = dtype})}
  end
  local w = parameters "float64"
  assert(tide.gradcheck(loss{steps = 7}, w))
  local value, direct = tide.value_and_grad(loss{steps = 7})(w)
  near(value:item(), loss{steps = 7}(w):item(), 0) -- whether a record is kept or not
  local again = tide.grad(loss{steps = 7, gradient = "checkpoint", checkpoint_steps = 3})(w)
  assert((direct.k - again.k):abs():max():item() == 0 and (direct.m - again.m):abs():max():item() == 0)
  assert(tide.gradcheck(function(v)
    local g = tide.grad(loss{steps = 4})(v)
    return (g.m * g.m):sum() + g.k:sin():sum()
  end, w))
  local single = tide.grad(loss({steps = 7}, "float32"))(parameters "float32")
  assert((single.k:to "float64" - direct.k):abs():max():item() < 1e-5)
end

tests["a time at which f jumps, and a step that does not divide the span"] = function()
  local y = tide.odeint(pendulum, start(), {0, 1}, verlet{step_size = 0.3})
  local exact = tide.odeint(pendulum, start(), {0, 1}, {rtol = 1e-10, atol = 1e-10})
  assert(distance(y, exact, 2) < 0.02)
end

tests["what it refuses"] = function()
  local y0 = start()
  local function solve(f, y, more)
    more = more or {}
    if not more.adaptive then more.steps = 4 end
    more.adaptive = nil
    return function() return tide.odeint(f, y, {0, 1}, verlet(more)) end
  end
  fails("dp depends on p", solve(function(_, y) return {q = y.p, p = -y.q - 0.01 * y.p} end, y0))
  fails("dq depends on q", solve(function(_, y) return {q = y.p + 0.01 * y.q, p = -y.q} end, y0))
  local words = {"leapfrog_verlet takes a state {q = tensor, p = tensor}", "f(t, {q =, p =})"}
  fails(words, solve(pendulum, tide.ones{2}))
  fails(words, solve(pendulum, {q = y0.q}))
  fails(words, solve(pendulum, {q = y0.q, p = y0.p, r = y0.p}))
  fails(words, solve(pendulum, {x = y0.q, v = y0.p}))
  fails(words, solve(pendulum, {y0.q, y0.p}))
  fails({"q of shape {2, 2} and p of shape {2}"}, solve(pendulum, {q = y0.q, p = tide.ones({2}, F64)}))
  fails("plain = true", solve(pendulum, {1, 2}, {plain = true}))
  fails({"fixed-step method"}, solve(pendulum, y0, {adaptive = true}))
  fails({'gradient = "adjoint" does not work with leapfrog_verlet, only "direct", "checkpoint"'},
    solve(pendulum, y0, {gradient = "adjoint"}))
end

tests["there is no quadrature beside {q, p}"] = function()
  local function f(_, y) return {q = y.p, p = -y.q} end
  check.fails({"a quadrature is a third part of the state", "leapfrog_verlet"}, tide.odeint, f,
    {q = tide.ones{1}, p = tide.ones{1}}, {0, 1}, {method = "leapfrog_verlet", steps = 3,
      quadrature = function(_, y) return y.q end})
end

return tests
