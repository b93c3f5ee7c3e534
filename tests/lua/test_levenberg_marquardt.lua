-- optim.levenberg_marquardt: known minima, rates, Lotka and Volterra's parameters through a solve, both ways
-- to make steps, states, misuse.
local check = require "check"
local tide = require "tide"
local optim = tide.optim

local F64 = {dtype = "float64"}
local function f64(v) return tide.tensor(v, F64) end

local function rosenbrock(m)
  local x, y = m.x:select(1, 1), m.x:select(1, 2)
  return tide.stack{(y - x * x) * 10, 1 - x}
end

local tests = {}

tests["Rosenbrock's function: quadratic convergence, by a Jacobian and by products"] = function()
  for _, solver in ipairs{"dense", "cg"} do
    local m, errors = {x = f64{-1.2, 1}}, {}
    local opt = optim.levenberg_marquardt(m, {solver = solver, max_iter = 1, tolerance_grad = 0,
      tolerance_change = 0, cg_tolerance = 1e-12})
    for n = 1, 60 do
      opt:step(rosenbrock)
      errors[n] = (m.x - 1):abs():max():item()
      if errors[n] < 1e-11 then break end
    end
    local n = #errors
    assert(n <= 30 and errors[n] < 1e-11, ("%s: %d steps, %g"):format(solver, n, errors[n]))
    -- damping falls by 3 a step, so the rate is better than any linear one
    assert(errors[n - 1] / errors[n - 2] < 0.05, errors[n - 1] / errors[n - 2])
  end
end

-- Powell's singular function (Moré, Garbow, Hillstrom 1981, no. 13): J is singular at the minimum. Box's (no.
-- 12) and Kowalik and Osborne's (no. 15), with the published minima.
local function powell(m)
  local a, b, c, d = m.x:select(1, 1), m.x:select(1, 2), m.x:select(1, 3), m.x:select(1, 4)
  return tide.stack{a + b * 10, (c - d) * 5 ^ 0.5, (b - c * 2):square(), (a - d):square() * 10 ^ 0.5}
end
local function kowalik_osborne(m)
  local y = f64{0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246}
  local u = f64{4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625}
  local a, b, c, d = m.x:select(1, 1), m.x:select(1, 2), m.x:select(1, 3), m.x:select(1, 4)
  return y - a * (u * u + u * b) / (u * u + u * c + d)
end
tests["published minima"] = function()
  for _, solver in ipairs{"dense", "cg"} do
    local o = {solver = solver, max_iter = 200, tolerance_change = 1e-15, cg_tolerance = 1e-8}
    local m = {x = f64{3, -1, 0, 1}}
    optim.levenberg_marquardt(m, o):step(powell)
    assert(m.x:abs():max():item() < 2e-2 and powell(m):square():sum():item() < 1e-8, solver)
    m = {x = f64{0.25, 0.39, 0.415, 0.39}}
    local _, report = optim.levenberg_marquardt(m, o):step(kowalik_osborne)
    check.near(2 * report.loss, 3.07505e-4, 1e-9)
  end
end

local function field(m)
  return function(_, y)
    return tide.stack{m.a * y[1] - m.b * y[1] * y[2], m.d * y[1] * y[2] - m.c * y[2]}
  end
end
local solver = {method = "tsit5", rtol = 1e-9, atol = 1e-9}

tests["Lotka and Volterra's parameters, and the start, from a solution"] = function()
  local times, start = tide.linspace(0, 6, 20, F64), f64{1, 1}
  local truth = {a = f64(1.5), b = f64(1), c = f64(3), d = f64(1)}
  local data = tide.odeint(field(truth), start, times, solver)
  local function residuals(m) return tide.odeint(field(m), m.start, times, solver) - data end
  for _, how in ipairs{"dense", "cg"} do
    local m = {a = f64(1.2), b = f64(0.8), c = f64(2.5), d = f64(0.8), start = f64{1.1, 0.9}}
    local opt = optim.levenberg_marquardt(m, {solver = how, max_iter = 60, cg_tolerance = 1e-6})
    local first, report = opt:step(residuals)
    assert(first > 1 and report.iterations < 30 and report.loss < 1e-12, how .. " " .. report.loss)
    for name, v in pairs(truth) do check.near(m[name]:item(), v:item(), 1e-6) end
    assert((m.start - start):abs():max():item() < 1e-6)
  end
end

tests["a trial step into parameters that cannot be solved with is refused, not an error"] = function()
  local times = {0, 1, 2}
  local function blow_up(m) -- y' = k y^2: no solution up to t = 2 once k >= 1/2
    return function(_, y) return m.k * y * y end
  end
  local data = tide.odeint(blow_up{k = f64(0.45)}, f64{1}, times, solver)
  local m = {k = f64(0.01)}
  local opt = optim.levenberg_marquardt(m, {damping = 1e-9, max_iter = 100})
  opt:step(function(p)
    return tide.odeint(blow_up(p), f64{1}, times, {method = "tsit5", rtol = 1e-9, atol = 1e-9,
      max_steps = 2000}) - data
  end)
  check.near(m.k:item(), 0.45, 1e-7)
end

tests["a linear problem: linalg.lstsq's solution, also float32 and a table of residuals"] = function()
  local A = tide.randn({20, 3}, {seed = 1, dtype = "float64"})
  local y = tide.randn({20}, {seed = 2, dtype = "float64"})
  local want = tide.linalg.lstsq(A, y)
  for dtype, limit in pairs{float64 = 1e-8, float32 = 1e-5} do
    local B, z = A:to(dtype), y:to(dtype)
    local m = {w = tide.zeros({3}, {dtype = dtype})}
    optim.levenberg_marquardt(m, {damping = 1e-12}):step(function(p)
      local r = B:matmul(p.w) - z
      return {r:slice(1, 1, 5), rest = {r:slice(1, 6, 20):reshape{3, 5}}}
    end)
    assert((m.w - want):abs():max():item() < limit, dtype)
  end
end

tests["shared tensors and parameters that nothing depends on"] = function()
  local w = f64{0.5}
  local m = {one = {w = w}, other = {w = w}, idle = f64{7}}
  optim.levenberg_marquardt(m, {max_iter = 50}):step(function(p) return p.one.w * p.other.w - 4 end)
  check.near(w[1], 2, 1e-8)
  assert(m.idle[1] == 7)
end

tests["a state resumes bit for bit"] = function()
  for _, how in ipairs{"dense", "cg"} do
    local a, b = {x = f64{-1.2, 1}}, {x = f64{-1.2, 1}}
    local one = optim.levenberg_marquardt(a, {solver = how, max_iter = 2, damping = 0.01})
    local other = optim.levenberg_marquardt(b)
    for _ = 1, 2 do one:step(rosenbrock) end
    other:load_state(check.in_folder(function(folder)
      tide.save(folder .. "/s.npz", one:state())
      return tide.load(folder .. "/s.npz")
    end))
    b.x:copy_(a.x)
    assert(other.solver == how and other.max_iter == 2)
    for _ = 1, 3 do
      one:step(rosenbrock)
      other:step(rosenbrock)
      assert((a.x - b.x):abs():max():item() == 0)
    end
    optim.levenberg_marquardt(b):load_state(optim.levenberg_marquardt(a):state())
  end
  local opt = optim.levenberg_marquardt{x = f64{1, 2, 3}}
  local state = optim.levenberg_marquardt{x = f64{1, 2}}
  state:step(rosenbrock)
  check.fails("expected {3} (float64)", function() opt:load_state(state:state()) end)
end

tests["misuse: an error that says so, and nothing has changed"] = function()
  local m = {x = f64{-1.2, 1}}
  local opt = optim.levenberg_marquardt(m)
  local function step(fn)
    return function() opt:step(fn) end
  end
  check.fails("step takes the function of the residuals", step(3))
  check.fails("the function must return the residuals", step(function() return 3 end))
  check.fails("there are no residuals", step(function(p) return p.x:slice(1, 1, 0) end))
  check.fails("step 1: the sum of the squared residuals is nan", step(function(p)
    return p.x:square() * -1 + (p.x * 0 - 1):log()
  end))
  check.fails("the gradient of x[1] is", step(function(p) return (p.x:square() - 1.44):abs():sqrt() end))
  assert(m.x[1] == -1.2 and m.x[2] == 1)
  check.fails('one of "auto", "dense", "cg"', optim.levenberg_marquardt, m, {solver = "qr"})
  check.fails("call it yourself", tide.train, {model = tide.nn.linear(2, 1),
    optimizer = "levenberg_marquardt", epochs = 1, data = {x = tide.ones{2, 2}, y = tide.ones{2, 1}}})
  m.x = f64{0 / 0, 1}
  opt = optim.levenberg_marquardt(m)
  check.fails("x[1] is nan", step(rosenbrock))
end

return tests
