--- Multistep methods that choose their order and their steps.

local check = require "check"
local tide = require "tide"

local near, fails = check.near, check.fails
local F64 = {dtype = "float64"}
local varying = {}
for _, m in ipairs(tide.ode.methods()) do if m.varies then varying[#varying + 1] = m.name end end

local tests = {}

local function with(o, more)
  local all = {}
  for k, v in pairs(o) do all[k] = v end
  for k, v in pairs(more) do all[k] = v end
  return all
end
local function distance(a, b) return (a - b):abs():max():item() end

local function circle(_, y) return tide.stack{y[2], -y[1]} end
local function start() return tide.tensor({1, 0}, F64) end

tests["errors follow the tolerance, at the ends and between the steps, forwards and backwards"] = function()
  for _, name in ipairs(varying) do
    for _, to in ipairs{10, -10} do
      local evaluations = 0
      for _, tol in ipairs{1e-4, 1e-6, 1e-8, 1e-10, 1e-12} do
        local times, worst = {0}, 0
        for i = 1, 70 do times[i + 1] = to * i / 70 end
        local ys, s = tide.odeint(circle, start(), times, {method = name, rtol = tol, atol = tol})
        for i, t in ipairs(times) do worst = math.max(worst, math.abs(ys[i][1] - math.cos(t))) end
        assert(worst < 60 * tol, ("%s at %g: %g"):format(name, tol, worst))
        assert(s.nfe > evaluations and s.accepted + s.rejected == s.steps)
        evaluations = s.nfe
        local alone = tide.odeint(circle, start(), {0, to}, {method = name, rtol = tol, atol = tol})
        assert(distance(alone[2], ys[71]) == 0) -- outputs do not change the steps
      end
    end
  end
end

tests["adams needs far fewer evaluations than Runge-Kutta at tight tolerances"] = function()
  local _, s = tide.odeint(circle, start(), {0, 40}, {method = "adams", rtol = 1e-10, atol = 1e-10})
  local _, r = tide.odeint(circle, start(), {0, 40}, {method = "dopri5", rtol = 1e-10, atol = 1e-10})
  assert(s.nfe < r.nfe / 4, ("%d, %d"):format(s.nfe, r.nfe))
end

tests["evaluations are counted; stops, jumps, a limit on steps and on orders"] = function()
  local function drive(t, y) return tide.where(tide.gt(t, 5), 20, 0) - y end
  for _, name in ipairs(varying) do
    local calls = 0
    local _, s = tide.odeint(function(_, y)
      calls = calls + 1
      return {y[2], -y[1]}
    end, {1, 0}, {0, 3}, {method = name, plain = true})
    assert(s.nfe == calls)
    local o = {method = name, rtol = 1e-8, atol = 1e-8}
    local aware = with(o, {jumps = {5}, stops = {7, 7.5}})
    local ys, j = tide.odeint(drive, tide.ones({1}, F64), {0, 3, 10}, aware)
    near(ys[3][1], 20 * (1 - math.exp(-5)) + math.exp(-10), 1e-6)
    local _, unaware = tide.odeint(drive, tide.ones({1}, F64), {0, 3, 10}, o)
    assert(j.nfe < unaware.nfe)
    local _, short = tide.odeint(circle, start(), {0, 3}, with(o, {max_step = 0.01}))
    assert(short.accepted >= 300)
    local _, all = tide.odeint(circle, start(), {0, 3}, o)
    local _, low = tide.odeint(circle, start(), {0, 3}, with(o, {max_order = 2}))
    assert(low.nfe > 2 * all.nfe)
  end
end

-- Van der Pol's oscillator with a forcing; p {2}.
local function oscillator(p)
  return function(t, y)
    return tide.stack{y[2], p[1] * (1 - y[1] * y[1]) * y[2] - y[1] + p[2] * tide.sin(t)}
  end
end
local function point() return {p = tide.tensor({1.5, 0.3}, F64), y = tide.tensor({1.2, -0.4}, F64)} end
local function loss(o)
  return function(q)
    return tide.odeint(oscillator(q.p), q.y, {0, 0.01, 0.31, 0.33, 2.9, 3}, o):sin():sum()
  end
end

tests["all gradients agree with the true one as far as the tolerance"] = function()
  local exact = tide.grad(loss{rtol = 1e-11, atol = 1e-11})(point())
  for _, m in ipairs(tide.ode.methods()) do
    if m.varies then
      for _, tol in ipairs{1e-5, 1e-8} do
        for _, gradient in ipairs(m.gradients) do
          local g = tide.grad(loss{method = m.name, rtol = tol, atol = tol, gradient = gradient})(point())
          local off = math.max(distance(g.p, exact.p), distance(g.y, exact.y))
          assert(off < 100 * tol, ("%s, %s at %g: %g"):format(m.name, gradient, tol, off))
        end
      end
    end
  end
end

tests["adams: checkpoints give the bits of the direct gradient, in both dtypes, with a model"] = function()
  local o = {method = "adams", rtol = 1e-6, atol = 1e-6}
  local direct = tide.grad(loss(o))(point())
  for _, every in ipairs{1, 2, 7, 1000} do
    local kept = tide.grad(loss(with(o, {gradient = "checkpoint", checkpoint_steps = every})))(point())
    assert(distance(direct.p, kept.p) == 0 and distance(direct.y, kept.y) == 0)
  end
  local second = tide.gradcheck(function(q) return tide.grad(loss(o))(q).p end, point(), {tolerance = 1e-3})
  assert(second)
  for _, dtype in ipairs{"float32", "float64"} do
    local net = tide.nn.mlp{sizes = {3, 16, 3}, act = "tanh", seed = 1, dtype = dtype}
    local y = tide.randn({20, 3}, {seed = 2, dtype = dtype})
    local function run(gradient, method)
      return tide.tree.tensors(tide.grad(function(q)
        return tide.odeint(function(t, x) return q(t, x) end, y, {0, 0.2, 2},
          {method = method, rtol = 1e-4, atol = 1e-5, gradient = gradient}):square():mean()
      end)(net))
    end
    local a, b, c = run("direct", "adams"), run("checkpoint", "adams"), run("direct", "dopri5")
    for i = 1, #a do assert(distance(a[i], b[i]) == 0 and distance(a[i], c[i]) < 1e-3) end
  end
end

tests["refusals"] = function()
  local function f(_, y) return -y end
  local function solve(o) return tide.odeint(f, tide.ones{1}, {0, 1}, o) end
  fails({"adams chooses its steps and orders", '"abm"', "step_size"}, solve, {method = "adams", steps = 3})
  fails({"adams varies its order", "max_order = 3"}, solve, {method = "adams", order = 3})
  fails({"max_order = 13 is more than adams has, 12"}, solve, {method = "adams", max_order = 13})
  fails({"methods that vary their order, which dopri5 does not"}, solve, {max_order = 3})
  fails({"adams_bashforth is a fixed-step method"}, solve, {method = "adams_bashforth"})
end

return tests
