-- Rosenbrock methods: their coefficients, stiff problems, exact gradients, what they need of a field.

local check = require "check"
local tide = require "tide"
local trees = require "tide.ode.trees"


local F64 = {dtype = "float64"}
local names, rows = {}, {}
for _, m in ipairs(tide.ode.methods()) do
  if m.family == "rosenbrock" then names[#names + 1], rows[m.name] = m.name, m end
end

local tests = {}

local function distance(a, b) return (a - b):abs():max():item() end
local with = check.with

tests["ros3p and rodas4, with A, b, gamma and what they can do"] = function()
  assert(table.concat(names, " ") == "ros3p rodas4")
  for _, m in pairs(rows) do
    assert(m.implicit and m.adaptive and #m.gradients >= 4 and #m.gamma == m.stages, m.name)
    for i, row in ipairs(m.gamma) do assert(#row == i and row[i] == m.gamma[1][1]) end
  end
  assert(rows.ros3p.stability == "A" and rows.rodas4.stability == "L")
end

-- The conditions of order 4 as Hairer, Wanner, Solving ODEs II, IV.7 write them, beside those of the trees.
tests["the conditions of order 4, written out"] = function()
  for _, m in pairs(rows) do
    local n, beta, c, b2 = m.stages, {}, m.c, {}
    for i = 1, n do
      beta[i], b2[i] = {}, 0
      for j = 1, n do
        beta[i][j] = (m.A[i][j] or 0) + (m.gamma[i][j] or 0)
        b2[i] = b2[i] + beta[i][j]
      end
    end
    local function sum(term)
      local s = 0
      for i = 1, n do s = s + m.b[i] * term(i) end
      return s
    end
    local function through(matrix, x)
      return function(i)
        local s = 0
        for j = 1, n do s = s + (matrix[i][j] or 0) * x(j) end
        return s
      end
    end
    local function own(i) return b2[i] end
    local inner = through(beta, own)
    local conditions = {
      {{sum(function() return 1 end), 1}},
      {{sum(own), 1 / 2}},
      {{sum(function(i) return c[i] ^ 2 end), 1 / 3}, {sum(inner), 1 / 6}},
      {{sum(function(i) return c[i] ^ 3 end), 1 / 4},
       {sum(function(i) return c[i] * through(m.A, own)(i) end), 1 / 8},
       {sum(through(beta, function(j) return c[j] ^ 2 end)), 1 / 12}, {sum(through(beta, inner)), 1 / 24}},
    }
    for p = 1, m.order do
      for _, pair in ipairs(conditions[p]) do check.near(pair[1], pair[2], 1e-15) end
    end
  end
  assert(#trees.with(4) == 4)
end

tests["the theory knows them: order, A- and L-stability"] = function()
  for name, m in pairs(rows) do
    assert(tide.theory.order(name) == m.order)
    local stable, angle = tide.theory.a_stable(name)
    assert(stable and angle == 90)
  end
  assert(tide.theory.stability("rodas4", {-1e12, 0}) < 1e-10)
  check.near(tide.theory.stability("ros3p", {-1e12, 0}), math.sqrt(3) - 1, 1e-9)
end

-- ---- stiff problems ----

tests["Prothero-Robinson: fixed steps and a controller"] = function()
  local function f(t, y) return -1e6 * (y - tide.cos(t)) - tide.sin(t) end
  for _, name in ipairs(names) do
    local got = tide.odeint(f, tide.ones({1}, F64), {0, 1}, {method = name, steps = 50})[2][1]
    check.near(got, math.cos(1), name == "rodas4" and 1e-8 or 1e-5)
    local ys, s = tide.odeint(f, tide.full({1}, 2, F64), {0, 0.5, 1}, {method = name, rtol = 1e-6,
      atol = 1e-8})
    check.near(ys[3][1], math.cos(1), 1e-5)
    assert(s.steps < 500, name)
  end
end

tests["van der Pol, mu = 1000, and Robertson: the numbers of radau5"] = function()
  local problems = {
    {function(_, y) return tide.stack{y[2], 1000 * (1 - y[1] * y[1]) * y[2] - y[1]} end, {2, 0}, 2000, 1e-6},
    {function(_, y)
      local a, b, c = 0.04 * y[1], 1e4 * y[2] * y[3], 3e7 * y[2] * y[2]
      return tide.stack{b - a, a - b - c, c}
    end, {1, 0, 0}, 1e6, 1e-6},
  }
  for _, p in ipairs(problems) do
    local function solve(name, tol)
      return tide.odeint(p[1], tide.tensor(p[2], F64), {0, p[3]}, {method = name, rtol = tol,
        atol = tol * 1e-3})
    end
    local want = solve("radau5", 1e-9)
    for _, name in ipairs(names) do
      local got, s = solve(name, p[4])
      assert(distance(got, want) < 100 * p[4], name .. ": " .. distance(got, want))
      assert(s.steps < 10000, name)
    end
  end
end

-- The published estimate of ros3p is 0 here, whatever the step.
tests["linear systems: the error is seen"] = function()
  for _, name in ipairs(names) do
    for _, tol in ipairs{1e-3, 1e-4, 1e-6} do
      local ys = tide.odeint(function(_, y) return tide.stack{y[2], -y[1]} end, tide.tensor({1, 0}, F64),
        {0, 6}, {method = name, rtol = tol, atol = tol})
      check.near(ys[2][1], math.cos(6), 20 * tol)
    end
  end
end

-- ---- gradients ----

-- Nonlinear, time-dependent, with parameters of t and of y; p {2}.
local function oscillator(p)
  return function(t, y)
    local damped = p[1] * (1 - y[1] * y[1]) * y[2]
    return tide.stack{y[2] + tide.sin(p[2] * t), damped - y[1] * tide.cos(p[2] * t * t)}
  end
end
local function point()
  return {p = tide.tensor({1.5, 0.7}, F64), y = tide.tensor({1.2, -0.4}, F64),
    t = tide.tensor({0.1, 0.43, 1.2}, F64)}
end
local function loss(o)
  return function(q) return tide.odeint(oscillator(q.p), q.y, q.t or {0.1, 0.43, 1.2}, o):sin():sum() end
end
local function fixed_times(q) return {p = q.p, y = q.y} end

tests["exact: state, parameters, times; checkpoints have the same bits; dense, krylov"] = function()
  for _, name in ipairs(names) do
    for _, o in ipairs{{steps = 6}, {step_size = 0.17}, {steps = 6, jacobian = "krylov"}} do
      local ok, worst = tide.gradcheck(loss(with(o, {method = name})), point(), {tolerance = 1e-8})
      assert(ok, name .. ": " .. worst)
    end
    for _, o in ipairs{{steps = 9}, {rtol = 1e-5, atol = 1e-5}} do
      local direct = tide.grad(loss(with(o, {method = name})))(fixed_times(point()))
      for _, k in ipairs{1, 2, 3, 50} do
        local kept = tide.grad(loss(with(o, {method = name, gradient = "checkpoint", checkpoint_steps = k})))(
          fixed_times(point()))
        assert(distance(direct.p, kept.p) == 0 and distance(direct.y, kept.y) == 0, name .. ", every " .. k)
      end
    end
  end
end

tests["float32, a batch in blocks and tiles, second derivatives, events, quadrature"] = function()
  local x = tide.randn({40, 3}, {seed = 2, dtype = "float64"})
  local a = tide.randn({3, 3}, {seed = 3, dtype = "float64"})
  local function batch(o)
    return function(m) return tide.odeint(function(t, y) return (y:matmul(m) + t):tanh() - y end,
      x:to(m:dtype()), {0, 1}, o)[2]:square():mean() end
  end
  for _, name in ipairs(names) do
    local o = {method = name, steps = 4}
    assert(tide.gradcheck(batch(o), a, {tolerance = 1e-8}), name)
    local exact, single = tide.grad(batch(o))(a), tide.grad(batch(o))(a:to "float32")
    assert(distance(exact, single:to "float64") < 2e-5, name)
    local each = tide.grad(batch{method = name, rtol = 1e-6, atol = 1e-6, per_sample = true})(a)
    assert(distance(each, exact) < 2e-3, name)
    assert(tide.gradcheck(function(q) return tide.grad(loss(with(o, {steps = 3})))(q).p:square():sum() end,
      fixed_times(point()), {tolerance = 1e-6}), name)
    local function until_zero(q)
      local ys = tide.odeint(oscillator(q.p), q.y, {0, 1}, with(o, {events = {{
        g = function(_, y) return y[1] - 1.1 end, apply = function(_, y) return y * q.p end}}}))
      return ys[2]:square():sum()
    end
    assert(tide.gradcheck(until_zero, fixed_times(point()), {tolerance = 1e-6}), name)
    local function integral(q)
      local _, _, i = tide.odeint(oscillator(q.p), q.y, {0, 1},
        with(o, {quadrature = function(t, y) return y[1] * y[2] * t end}))
      return i[2]
    end
    assert(tide.gradcheck(integral, fixed_times(point()), {tolerance = 1e-8}), name)
  end
end

tests["the continuous adjoint and the interpolated one converge to it"] = function()
  local want = tide.grad(loss{rtol = 1e-11, atol = 1e-12})(fixed_times(point()))
  for _, name in ipairs(names) do
    for _, gradient in ipairs{"adjoint", "interpolated"} do
      local got = tide.grad(loss{method = name, rtol = 1e-6, atol = 1e-6, gradient = gradient})(
        fixed_times(point()))
      assert(distance(got.p, want.p) < 1e-3 and distance(got.y, want.y) < 1e-3, name .. ", " .. gradient)
    end
  end
end

-- ---- what they take of a field ----

tests["df/dt that is not finite is an error that says so"] = function()
  for _, o in ipairs{{steps = 4}, {rtol = 1e-3}} do
    local ok, e = tide.attempt(tide.odeint, function(t, y) return tide.sqrt(t) - y end, tide.ones({1}, F64),
      {0, 1}, with(o, {method = "rodas4"}))
    assert(not ok and e.status == "not_finite" and e.t == 0 and tostring(e):find("df/dt", 1, true), e)
  end
end

tests["plain and eager: differences, on a grid down to rounding"] = function()
  local function f(t, y) return {y[1] * math.cos(t) - y[2], math.sin(t * y[1]) - y[2] * y[2]} end
  local function recorded(t, y)
    return tide.stack{y[1] * tide.cos(t) - y[2], tide.sin(t * y[1]) - y[2] * y[2]}
  end
  for _, name in ipairs(names) do
    for _, span in ipairs{{0, 1}, {1.5, 0.2}} do
      local want = tide.odeint(recorded, tide.tensor({1, 0}, F64), span, {method = name, steps = 20})
      local plain = tide.odeint(f, {1, 0}, span, {method = name, steps = 20, plain = true})
      assert(distance(want, plain) < 1e-12, name .. distance(want, plain))
      want = tide.odeint(recorded, tide.tensor({1, 0}, F64), span, {method = name, rtol = 1e-6, atol = 1e-8})
      plain = tide.odeint(f, {1, 0}, span, {method = name, rtol = 1e-6, atol = 1e-8, plain = true})
      assert(distance(want, plain) < 1e-7, name)
    end
  end
end

tests["eager in float32: df/dt by differences that float32 resolves, an integral among the rows"] = function()
  local function f(t, y) return y:sin() * 0.8 + tide.cos(3 * t) * y end
  for _, method in ipairs(names) do
    for _, o in ipairs{{rtol = 1e-3}, {rtol = 1e-5}, {steps = 8}} do
      o.method, o.quadrature = method, function(t, y) return y * tide.cos(t) + t end
      local y0 = tide.tensor{0.3, 0.9}
      local ys, stats, q = tide.odeint(f, y0, {-0.5, 0.25}, o)
      o.eager = true
      local eager, counts, integral = tide.odeint(f, y0, {-0.5, 0.25}, o)
      local limit = 2 * (o.rtol or 1e-6) + 1e-6
      assert(distance(ys, eager) < limit and distance(q, integral) < limit, method)
      assert(counts.steps <= stats.steps + 3, method)
    end
  end
end

tests["a field that does not look at t costs no df/dt; f at the end is the next beginning"] = function()
  local evaluations = {ros3p = 2, rodas4 = 6}
  for _, name in ipairs(names) do
    local _, s = tide.odeint(function(_, y) return -y * y end, tide.ones({1}, F64), {0, 1},
      {method = name, steps = 10})
    assert(s.nfe == 10 * evaluations[name] + (rows[name].fsal and 1 or 0), name .. s.nfe)
  end
end

return tests
