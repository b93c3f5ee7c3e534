--- gradient = "reversible" takes the steps back, "forward" goes along with them: both are the derivative of
-- the steps that were taken, to rounding, with nothing kept of the solve.

local tide = require "tide"

local F64 = {dtype = "float64"}
local function normal(shape, seed, dtype)
  return tide.randn(shape, {dtype = dtype or "float64", seed = seed})
end

local tests = {}

-- Largest difference of two tables of tensors, as a share of the largest number of the second.
local function apart(a, b)
  local off, size = 0, 0
  local function walk(x, y)
    if type(x) == "table" then
      for k in pairs(x) do walk(x[k], y[k]) end
    else
      off, size = math.max(off, (x - y):abs():max():item()), math.max(size, y:abs():max():item())
    end
  end
  walk(a, b)
  assert(size > 0)
  return off / size
end

local function field(t, y, p) return tide.tanh(y:matmul(p.w)) * tide.cos(2 * t) - y * p.a end
local function loss(ys) return (ys * ys * ys):sum() end
local function parameters(dtype)
  return {w = normal({3, 3}, 1, dtype), a = tide.full({}, 0.2, {dtype = dtype or "float64"}),
    y0 = normal({2, 3}, 2, dtype)}
end

-- The gradient by all of them, and its statistics.
local function gradient(kind, opts, p, f, t)
  local o = {gradient = kind}
  for k, v in pairs(opts) do o[k] = v end
  p = p or parameters()
  local stats, _, g = tide.ode.counted(tide.compile(tide.value_and_grad(function(q)
    local ys, _, integral = tide.odeint(function(s, y) return (f or field)(s, y, q) end, q.y0,
      t or {0, 0.3, 0.7, 2}, o)
    return loss(ys) + (integral and integral:sum() or 0)
  end)), p)
  return g, stats
end

local reversible = {"alf", "reversible_heun"}

tests["reversible equals direct: grids, adaptive steps, jumps, samples, outputs, a quadrature"] = function()
  local function speed(_, y) return (y * y):sum(2) end
  for _, method in ipairs(reversible) do
    for _, o in ipairs{{steps = 40}, {step_size = 0.05}, {rtol = 1e-4}, {rtol = 1e-4, jumps = {0.5, 1}},
      {rtol = 1e-4, per_sample = true}, {rtol = 1e-4, quadrature = speed}, {steps = 30, quadrature = speed},
      {rtol = 1e-4, final = "interpolate"}, {rtol = 1e-3, norm = "sample", stops = {0.4}}} do
      o.method = method
      local direct, g, stats = gradient("direct", o), gradient("reversible", o)
      assert(apart(g, direct) < 1e-13, method)
      assert(stats.reconstruction_error < 1e-12 and not stats.made_again)
      assert(stats.nfe_backward <= 2 * stats.nfe + 20) -- of a step: f once and its product once
    end
  end
end

tests["reversible goes through leapfrog_verlet, whose steps are symmetric"] = function()
  local p = {w = normal({3, 3}, 1), y0 = {q = normal({2, 3}, 2), p = normal({2, 3}, 3)}}
  local function f(t, y, q) return {q = y.p, p = -tide.sin(y.q):matmul(q.w) * tide.cos(t)} end
  local g = {}
  for _, kind in ipairs{"direct", "reversible", "forward"} do
    g[kind] = tide.grad(function(q)
      local ys = tide.odeint(function(t, y) return f(t, y, q) end, q.y0, {0, 0.33, 2},
        {method = "leapfrog_verlet", steps = 40, gradient = kind})
      return loss(ys.q) + tide.sin(ys.p):sum()
    end)(p)
  end
  assert(apart(g.reversible, g.direct) < 1e-13 and apart(g.forward, g.direct) < 1e-13)
end

tests["reversible in float32 is off by roundings of float32"] = function()
  local o = {method = "alf", steps = 40}
  local direct, g, stats = gradient("direct", o, parameters("float32")),
    gradient("reversible", o, parameters("float32"))
  assert(apart(g, direct) < 1e-5 and stats.reconstruction_error < 1e-5 and not stats.made_again)
end

tests["reversible goes through events that change the state or end the solve"] = function()
  local function fall(_, y, p) return tide.stack({y[2] * 1, -p.a + 0 * y[2]}, 1) end
  for _, terminal in ipairs{false, 3} do
    for _, o in ipairs{{rtol = 1e-4}, {step_size = 0.05}} do
      o.method = "alf"
      o.events = {{g = function(_, y) return y[1] end, direction = -1, terminal = terminal,
        apply = function(_, y) return y * tide.tensor({1, -0.8}, F64) end}}
      local p = {a = tide.full({}, 9.81, F64), y0 = tide.tensor({1, 0.3}, F64)}
      local t = {0, 0.3, 0.8, 1.9}
      local direct, g, stats = gradient("direct", o, p, fall, t), gradient("reversible", o, p, fall, t)
      assert(apart(g, direct) < 1e-11, apart(g, direct))
      assert(not stats.made_again)
    end
  end
end

tests["reversible knows the derivative by times"] = function()
  local function by_times(kind, o)
    o.gradient = kind
    return tide.grad(function(t)
      return loss((tide.odeint(function(s, y) return field(s, y, parameters()) end, parameters().y0, t, o)))
    end)(tide.tensor({0, 0.3, 0.7, 2}, F64))
  end
  for _, method in ipairs(reversible) do
    for _, o in ipairs{{steps = 40}, {rtol = 1e-4}} do
      o.method = method
      assert(apart(by_times("reversible", o), by_times("direct", o)) < 1e-12)
    end
  end
end

tests["where rounding grows on the way back the states are made again: the gradient is exact"] = function()
  local function contracting(_, y, p) return y * -p.a end
  local function valley(t, y, p) return y * p.a * (1.5 - t) end -- in the middle alone it is off
  for _, method in ipairs(reversible) do
    for _, case in ipairs{{contracting, 20, {0, 2}}, {valley, 20, {0, 3.4}}} do
      local p = {a = tide.full({}, case[2], F64), y0 = normal({5}, 4)}
      local o = {method = method, steps = 400}
      local direct, g, stats = gradient("direct", o, p, case[1], case[3]),
        gradient("reversible", o, p, case[1], case[3])
      if case[1] == contracting then assert(stats.made_again and stats.reconstruction_error > 1.5e-8) end
      assert(apart(g, direct) < 1e-6, method .. " " .. apart(g, direct))
    end
  end
end

tests["two gradients of one solve: rows of a Jacobian"] = function()
  local function jacobian(kind)
    return tide.jacobian(function(y)
      local ys = tide.odeint(function(t, u) return field(t, u, parameters()) end, y, {0, 1},
        {method = "alf", steps = 20, gradient = kind})
      return ys[2]:reshape{6}
    end, parameters().y0)
  end
  local direct = jacobian("direct")
  assert(apart({jacobian("reversible")}, {direct}) < 1e-13 and apart({jacobian("forward")}, {direct}) < 1e-13)
end

-- Bytes that a gradient takes beyond what was there.
local function peak(kind, steps, method)
  local y0, w = normal({2000}, 1), tide.full({2000}, -0.5, F64)
  local f = tide.compile(tide.grad(function(y)
    local ys = tide.odeint(function(_, u) return tide.sin(u * w) end, y, {0, 1},
      {method = method or "alf", steps = steps, gradient = kind})
    return ys[2]:sum()
  end))
  collectgarbage() collectgarbage()
  local before = tide.memory(true).live_bytes
  f(y0)
  return tide.memory().peak_bytes - before
end

tests["reversible takes the same memory for any number of steps, but for their sizes"] = function()
  local state = 2000 * 8
  for _, method in ipairs(reversible) do
    local few, many = peak("reversible", 20, method), peak("reversible", 2000, method)
    assert(many - few < 1980 * 100, many - few) -- t, h, a number of y: 60 bytes a step
    assert(peak("direct", 2000, method) - peak("direct", 20, method) > 1980 * state)
  end
end

tests["forward equals direct on a grid, and where steps adapt without Newton's method"] = function()
  local tried = 0
  for _, m in ipairs(tide.ode.methods()) do
    for _, o in ipairs{{steps = 20}, {rtol = 1e-4}} do
      o.method = m.name
      local there = m.family ~= "symplectic" and (o.steps and not m.varies or o.rtol and m.adaptive)
      if there and pcall(tide.ode.check_options, "x", o) then
        local newton = m.implicit and m.family ~= "rosenbrock" or m.family == "auto"
        local forward = not (o.rtol and newton)
        o.gradient = "forward"
        local ok, message = pcall(tide.ode.check_options, "x", o)
        assert(ok == forward, message)
        if ok then
          tried = tried + 1
          local g = gradient("forward", o)
          assert(apart(g, gradient("direct", o)) < 1e-12, m.name)
        end
      end
    end
  end
  assert(tried > 40)
end

tests["forward makes a solve for each number whose gradient is wanted, and no more"] = function()
  local p = parameters()
  local y0 = p.y0
  local stats = tide.ode.counted(tide.grad(function(q)
    return loss((tide.odeint(function(t, y) return field(t, y, q) end, y0, {0, 1},
      {method = "rk4", steps = 10, gradient = "forward"})))
  end), {w = p.w, a = p.a})
  assert(stats.nfe_backward == 10 * 40) -- w has 9 numbers, a one
end

tests["forward serves tide.jvp, of any number of parameters"] = function()
  local y, v = normal({20, 20}, 7), normal({20, 20}, 8)
  local function solve(kind)
    return select(2, tide.jvp(function(x)
      return (tide.odeint(function(_, u) return tide.sin(u) end, x, {0, 1},
        {method = "rk4", steps = 8, gradient = kind}))
    end, y, v))
  end
  assert(apart({solve("forward")}, {solve("direct")}) == 0)
end

tests["what cannot be had is refused, with what can"] = function()
  local function refused(part, fn)
    local ok, message = pcall(fn)
    assert(not ok and tostring(message):find(part, 1, true), tostring(message))
  end
  local function solve(o, n)
    return tide.grad(function(y)
      return (tide.odeint(function(_, u) return -u end, y, {0, 1}, o)):sum()
    end)(normal({n or 2}, 1))
  end
  refused('gradient = "reversible" does not work with dopri5, only "direct"', function()
    solve{gradient = "reversible"}
  end)
  refused('256 at most, and here these are 257; take "direct"', function()
    solve({gradient = "forward", method = "rk4", steps = 2}, 257)
  end)
  solve({gradient = "forward", method = "rk4", steps = 2}, 256)
  refused("is for fixed steps", function() solve{gradient = "forward", method = "radau5"} end)
  refused('"forward" has no derivative by times; take "direct"', function()
    tide.grad(function(t)
      return tide.odeint(function(_, u) return -u end, normal({2}, 1), t, {gradient = "forward"}):sum()
    end)(tide.tensor({0, 1}, F64))
  end)
end

return tests
