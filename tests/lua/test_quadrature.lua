--- Integrals along a solution: the option quadrature of odeint.

local tide = require "tide"
local check = require "check"

local tests = {}
local fails, near = check.fails, check.near
local f64 = {dtype = "float64"}
local function tensor(x) return tide.tensor(x, f64) end

local function oscillator(t, y) return tide.stack{y[2], -y[1] * (1 + 0.2 * t)} end
local times = {0, 0.7, 2, 3}

tests["q is the integral to each time, of the method's order; the solve stays as it is"] = function()
  local function integrand(t, y) return tide.stack{2 * y[1] * y[2] + t, y[1]} end
  for _, m in ipairs(check.methods()) do
    local o = m.kind == "adaptive" and {method = m.name, rtol = 1e-8, atol = 1e-10}
      or {method = m.name, steps = 60}
    local plain, s = tide.odeint(oscillator, tensor{1, 0.3}, times, o)
    assert(select("#", tide.odeint(oscillator, tensor{1, 0.3}, times, o)) == 2)
    o.quadrature = integrand
    local ys, stats, q = tide.odeint(oscillator, tensor{1, 0.3}, times, o)
    local off = (ys - plain):abs():max():item()
    local to_rounding = m.implicit and m.kind ~= "adaptive" -- Newton's method, which looks at all that moves
    assert(off <= (to_rounding and 1e-14 or 0), m.name)
    assert(stats.steps == s.steps and (to_rounding or stats.nfe == s.nfe), m.name)
    assert(table.concat(q:shape(), " ") == "4 2" and q[1][1] == 0 and q[1][2] == 0)
    local last = q[4][1] - (plain[4][1] ^ 2 - 1 + 4.5) -- d(y1^2)/dt = 2 y1 y2
    near(last, 0, ({0.5, 2e-2, 1e-3})[m.order] or 1e-3)
  end
end

-- With rows of large numbers, which a factorisation of state and integral together would choose as pivots.
tests["linear systems are those of the state alone: its bits, whatever is integrated"] = function()
  local function f(t, y)
    return tide.stack{y[2], 5 * (1 - y[1] * y[1]) * y[2] - y[1] * t:cos(), -3 * y[3] + y[1] * y[2]}
  end
  local function integrand(t, y)
    return tide.stack{1e3 * y[1] * y[2] + t, 7e4 * y[3] * y[3], 100 * y[1]:sin()}
  end
  local y0 = tensor{2, 0.3, 1}
  local function gradient(method, steps)
    return tide.grad(function(y)
      local ys, _, q = tide.odeint(f, y, {0, 2}, {method = method, steps = steps, rtol = 1e-10, atol = 1e-10,
        quadrature = integrand})
      return q[2]:sum() + ys[2]:sum()
    end)(y0)
  end
  local want = gradient("dopri8")
  for _, method in ipairs{"bdf", "radau5", "kvaerno3", "rodas4", "sdirk2", "auto"} do
    local o = {method = method, rtol = 1e-4, atol = 1e-6}
    local alone, s = tide.odeint(f, y0, times, o)
    o.quadrature = integrand
    local beside, r = tide.odeint(f, y0, times, o)
    assert((alone - beside):abs():max():item() == 0, method)
    assert(s.nfe == r.nfe and s.jacobians == r.jacobians and s.factorizations == r.factorizations, method)
  end
  for _, method in ipairs{"gauss6", "radau5", "kvaerno5", "rodas4"} do
    local off = (gradient(method, 400) / want - 1):abs():max():item()
    assert(off < 1e-6, ("%s: %g"):format(method, off))
  end
end

tests["shapes, dtypes, numbers, tables, eager and plain fields"] = function()
  for _, eager in ipairs{false, true} do
    for _, dtype in ipairs{"float32", "float64"} do
      local y0 = {a = tide.ones({3, 2}, {dtype = dtype}), b = tide.zeros({3}, {dtype = dtype})}
      local function field(_, y) return {a = -y.a, b = y.a:sum(2)} end
      local ys, _, q = tide.odeint(field, y0, {0, 1, 2}, {eager = eager, norm = "sample", rtol = 1e-5,
        quadrature = function(_, y) return y.a end})
      assert(table.concat(q:shape(), " ") == "3 3 2" and q:dtype() == dtype and #ys.b:shape() == 2)
      near(q[3][1][1], 1 - math.exp(-2), 1e-4)
      near(ys.a[3][1][1], math.exp(-2), 1e-4)
      local _, _, area = tide.odeint(field, y0, {0, 1, 2}, {eager = eager,
        quadrature = function() return 3 end})
      assert(#area:shape() == 1)
      near(area[3], 6, 1e-5)
      local _, _, of_t = tide.odeint(field, y0, {2, 0}, {eager = eager,
        quadrature = function(t) return t * t end})
      near(of_t[2], -8 / 3, 1e-4)
    end
  end
  local function plain(quadrature, o)
    o = o or {}
    o.plain, o.quadrature, o.rtol = true, quadrature, 1e-7
    return tide.odeint(function(_, y) return {y[2], -y[1]} end, {0, 1}, {0, math.pi}, o)
  end
  local ys, _, q = plain(function(_, y) return y[1] end)
  near(q[2], 2, 1e-5)
  near(ys[2][1], 0, 1e-5)
  _, _, q = plain(function(t, y) return {y[1], t} end)
  near(q[2][2], math.pi ^ 2 / 2, 1e-5)
  local calls = 0
  local _, stats = tide.odeint(function(_, y) calls = calls + 1; return {-y[1]} end, {1}, {0, 1},
    {plain = true, quadrature = function(_, y) return y[1] end})
  assert(stats.nfe == calls)
end

tests["quadrature_control: its error counts"] = function()
  local function run(control)
    return tide.odeint(function(_, y) return -y end, tensor{1}, {0, 10}, {rtol = 1e-6, atol = 1e-8,
      quadrature = function(t) return tide.sin(40 * t) end, quadrature_control = control})
  end
  local _, without, rough = run(false)
  local _, with, fine = run(true)
  local exact = (1 - math.cos(400)) / 40
  assert(with.accepted > 3 * without.accepted and math.abs(rough[2] - exact) > 1e-4)
  near(fine[2], exact, 1e-5)
end

tests["gradients of every kind, twice, compiled, and by times"] = function()
  local function loss(options)
    return function(p)
      options.quadrature = function(t, y) return y[1] ^ 2 * p.w * (1 + t) end
      local function field(t, y) return oscillator(t, y) * p.k end
      local ys, _, q = tide.odeint(field, p.y0, p.t or times, options)
      return (q * tensor{0.3, 1, -2, 1.5}):sum() + ys:sum() * 0.1
    end
  end
  local p = {w = tensor(1.3), k = tensor(0.9), y0 = tensor{1, 0.3}}
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    local ok, worst = tide.gradcheck(loss{rtol = 1e-11, atol = 1e-11, gradient = kind}, p)
    assert(ok or worst < 1e-5, kind .. " " .. tostring(worst))
  end
  for _, method in ipairs{"rk4", "sdirk2", "bdf", "euler"} do
    local f = loss{method = method, steps = 12}
    assert(tide.gradcheck(f, p), method)
    local g, again = tide.grad(f)(p), tide.compile(tide.grad(f))(p)
    assert((g.y0 - again.y0):abs():max():item() == 0)
  end
  local f = loss{method = "rk4", steps = 12}
  assert(tide.gradcheck(function(x)
    return tide.grad(f)({w = p.w, k = p.k, y0 = x}).y0:square():sum()
  end, p.y0))
  assert(tide.gradcheck(loss{method = "rk4", steps = 12},
    {w = p.w, k = p.k, y0 = p.y0, t = tensor{0, 0.71, 1.9, 3}}))
end

tests["with events: the integral goes on through a change of the state"] = function()
  for _, o in ipairs{{}, {eager = true}, {plain = true}} do
    o.quadrature = function(_, y) return y[1] end
    o.events = {{g = function(t) return t - 1 end,
      apply = function(_, y) return o.plain and {y[1] + 5} or y + 5 end}}
    local ys, stats, q = tide.odeint(function(_, y) return o.plain and {0} or y * 0 end,
      o.plain and {1} or tensor{1}, {0, 1, 2}, o)
    near(q[3], 1 + 6)
    near(q[2], 1)
    near(ys[3][1], 6)
    assert(#stats.events[1].y == 1)
  end
  local t = tide.gradcheck(function(p)
    local _, _, q = tide.odeint(function(_, y) return -p.k * y end, p.y0, {0, 2}, {method = "rk4", steps = 11,
      quadrature = function(_, y) return y[1] ^ 2 end,
      events = {{g = function(_, y) return y[1] - 0.5 end, apply = function(_, y) return y * 3 end}}})
    return q:sum()
  end, {k = tensor(1.1), y0 = tensor{1}})
  assert(t)
end

tests["what is no quadrature"] = function()
  local function run(quadrature, o)
    o = o or {}
    o.quadrature = quadrature
    return tide.odeint(o.plain and function(_, y) return {-y[1]} end or function(_, y) return -y end,
      o.plain and {1} or tide.ones{2}, {0, 1}, o)
  end
  fails({"quadrature must be a function", "3"}, run, 3)
  for _, eager in ipairs{false, true} do
    fails({"quadrature must return a number or a tensor", "nil", "return"}, run, function() end,
      {eager = eager})
    fails({"quadrature must return a number or a tensor", "a table"}, run, function() return {} end,
      {eager = eager})
    fails({"quadrature returned float64", "float32"}, run, function(_, y) return y:to("float64") end,
      {eager = eager})
    fails("without elements", run, function() return tide.zeros{0} end, {eager = eager})
  end
  fails("an array of numbers", run, function() return "x" end, {plain = true})
  local n = 0
  fails({"quadrature returned shape {2}", "at first it was {1}"}, run, function(_, y)
    n = n + 1
    return n == 1 and y:slice(1, 1, 1) or y
  end, {eager = true})
  fails("quadrature_control", run, function(_, y) return y end, {quadrature_control = true,
    norm = function(e) return e:abs():max():item() end})
  fails("given as start", run, function(_, y) return y end, {method = "adams_bashforth", order = 2, steps = 4,
    start = {tide.ones{2}}})
  fails("quadrature is an option of odeint", tide.ode.event, function(_, y) return -y end, tide.ones{1}, 0,
    function(_, y) return y[1] - 0.5 end, {quadrature = function(_, y) return y end})
  fails("NaN or Inf", run, function(_, y) return y / 0 end)
end

return tests
