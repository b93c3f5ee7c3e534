--- Multistep methods that choose their order and their steps.

local check = require "check"
local tide = require "tide"

local near, fails = check.near, check.fails
local F64 = {dtype = "float64"}
local varying = {}
for _, m in ipairs(tide.ode.methods()) do
  if m.family == "multistep" and (m.varies or m.varying_order) then varying[#varying + 1] = m.name end
end

local tests = {}

local with = check.with
local function distance(a, b) return (a - b):abs():max():item() end

local function circle(_, y) return tide.stack{y[2], -y[1]} end
local function start() return tide.tensor({1, 0}, F64) end

tests["errors follow the tolerance, at the ends and between the steps, forwards and backwards"] = function()
  for _, name in ipairs(varying) do
    for _, to in ipairs{10, -10} do
      local evaluations = 0
      for _, tol in ipairs(name == "bdf" and {1e-3, 1e-5, 1e-7} or {1e-4, 1e-6, 1e-8, 1e-10, 1e-12}) do
        local times, worst = {0}, 0
        for i = 1, 70 do times[i + 1] = to * i / 70 end
        local ys, s = tide.odeint(circle, start(), times, {method = name, rtol = tol, atol = tol})
        for i, t in ipairs(times) do worst = math.max(worst, math.abs(ys[i][1] - math.cos(t))) end
        assert(worst < (name == "bdf" and 200 or 60) * tol, ("%s at %g: %g"):format(name, tol, worst))
        assert(s.nfe > evaluations and s.accepted + s.rejected == s.steps)
        evaluations = s.nfe
        local alone = tide.odeint(circle, start(), {0, to}, {method = name, rtol = tol, atol = tol})
        assert(distance(alone[2], ys[71]) == 0) -- outputs do not change the steps
      end
    end
  end
end

-- Steps that double away from a small first one see the slopes behind them close together.
tests["float32: weights of high orders do not blow rounding up"] = function()
  for _, tol in ipairs{1e-3, 3e-4, 1e-4, 3e-5, 1e-5} do
    for _, name in ipairs(varying) do
      local options = {method = name, rtol = tol, atol = tol}
      for step in tide.ode.steps(function(_, y) return -y end, tide.ones{1}, {0, 5}, options) do
        near(step.y:item(), math.exp(-step.t), 3 * tol, ("%s at %g, t = %g"):format(name, tol, step.t))
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
    assert(low.nfe > 1.5 * all.nfe)
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
    if m.varies or m.varying_order then
      for _, tol in ipairs{1e-5, 1e-8} do
        for _, gradient in ipairs(m.varies and m.gradients or {"direct", "adjoint", "interpolated"}) do
          local g = tide.grad(loss{method = m.name, rtol = tol, atol = tol, gradient = gradient})(point())
          local off = math.max(distance(g.p, exact.p), distance(g.y, exact.y))
          local most = (m.varies and 100 or 1000) * tol
          assert(off < most, ("%s, %s at %g: %g"):format(m.name, gradient, tol, off))
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

local function robertson(_, y)
  local a, b, c = 0.04 * y[1], 1e4 * y[2] * y[3], 3e7 * y[2] * y[2]
  return {b - a, a - b - c, c}
end

-- Hairer, Wanner, Solving ODEs II, and the test set of Bari; tolerance of each part, most evaluations, those
-- for Jacobians by differences included. SciPy's BDF needs 1394, 2620, 5712 and 1926, 3953, 8782 besides
-- them.
local stiff = {
  ["van der Pol"] = {function(_, y) return {y[2], 1000 * (1 - y[1] ^ 2) * y[2] - y[1]} end, {2, 0}, 2000,
    {1.706167732170469, -0.8928097010248257e-3}, {1, 1}, {1900, 3000, 5200}},
  Robertson = {robertson, {1, 0, 0}, 40, {0.7158270688, 9.185534765e-6, 0.2841637457}, {1e-4, 1e-4, 1e-4},
    {290, 460, 800}},
  Oregonator = {function(_, y)
    return {77.27 * (y[2] + y[1] * (1 - 8.375e-6 * y[1] - y[2])), (y[3] - (1 + y[1]) * y[2]) / 77.27,
      0.161 * (y[1] - y[3])}
  end, {1, 2, 3}, 360, {1.000814870318523, 1228.178521549917, 132.0554942846706}, {1, 1, 1},
    {2800, 4300, 7500}},
}

tests["stiff problems: errors and evaluations"] = function()
  for name, p in pairs(stiff) do
    for i, tol in ipairs{1e-4, 1e-6, 1e-8} do
      local ys, s = tide.odeint(p[1], p[2], {0, p[3]}, {method = "bdf", rtol = tol, atol = tol * p[5][1],
        plain = true})
      for j, want in ipairs(p[4]) do
        local ratio = math.abs(ys[2][j] - want) / (tol * (p[5][j] + math.abs(want)))
        assert(ratio < 200, ("%s at %g: %g tolerances"):format(name, tol, ratio))
      end
      assert(s.nfe <= p[6][i], ("%s at %g: %d evaluations"):format(name, tol, s.nfe))
    end
  end
end

tests["stiff: conservation, recorded and in float32, Prothero and Robinson in few steps"] = function()
  local function recorded(t, y) return tide.stack(robertson(t, y)) end
  local y = tide.odeint(recorded, tide.tensor({1, 0, 0}, F64), {0, 40, 1e11}, {method = "bdf", rtol = 1e-6,
    atol = 1e-12})
  near(y[2]:sum():item(), 1, 1e-10)
  near(y[3][1], 0.2083340149701255e-7, 1e-9)
  local single = tide.odeint(recorded, tide.tensor{1, 0, 0}, {0, 40}, {method = "bdf", rtol = 1e-4,
    atol = 1e-7})
  near(single[2][1], 0.7158270688, 1e-3)
  local ys, s = tide.odeint(function(t, u) return -1e6 * (u - tide.cos(t)) - tide.sin(t) end,
    tide.ones({1}, F64), {0, 1}, {method = "bdf", rtol = 1e-6, atol = 1e-6})
  near(ys[2][1], math.cos(1), 1e-6)
  assert(s.steps < 200)
end

tests["refusals"] = function()
  local function f(_, y) return -y end
  local function solve(o) return tide.odeint(f, tide.ones{1}, {0, 1}, o) end
  fails({"adams chooses its steps", '"abm"', "step_size"}, solve, {method = "adams", steps = 3})
  fails({"adams varies its order", "max_order = 3"}, solve, {method = "adams", order = 3})
  fails({"max_order = 13 is more than adams has, 12"}, solve, {method = "adams", max_order = 13})
  fails({"max_order = 6 is more than bdf has, 5"}, solve, {method = "bdf", max_order = 6})
  fails({"order = 3 of bdf is for fixed steps", "max_order = 3"}, solve, {method = "bdf", order = 3})
  fails({"start is for fixed steps"}, solve, {method = "bdf", start = {}})
  fails({"methods that vary their order, which dopri5 does not"}, solve, {max_order = 3})
  fails({"adams_bashforth is a fixed-step method"}, solve, {method = "adams_bashforth"})
end

return tests
