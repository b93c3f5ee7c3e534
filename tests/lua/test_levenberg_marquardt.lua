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

-- Problems of Moré, Garbow, Hillstrom, Testing Unconstrained Optimization Software (1981): start, published
-- least sum of squares, residuals of x, a list of scalars.
local i10, i16, i20 = tide.arange(1, 10, 1, F64), tide.arange(1, 16, 1, F64), tide.arange(1, 20, 1, F64)
local meyer_y = f64{34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820,
  3307, 2872}
local bard_y = f64{0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39}
local kowalik_y = f64{0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246}
local kowalik_u = f64{4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625}
local problems = {
  ["2 Freudenstein and Roth"] = {{0.5, -2}, 48.9842, function(a, b)
    return tide.stack{a - 13 + ((5 - b) * b - 2) * b, a - 29 + ((b + 1) * b - 14) * b}
  end},
  ["6 Jennrich and Sampson"] = {{0.3, 0.4}, 124.362, function(a, b)
    return i10 * 2 + 2 - ((i10 * a):exp() + (i10 * b):exp())
  end},
  ["8 Bard"] = {{1, 1, 1}, 8.21487e-3, function(a, b, c)
    local u = tide.arange(1, 15, 1, F64)
    local v = 16 - u
    return bard_y - (a + u / (v * b + tide.minimum(u, v) * c))
  end},
  ["10 Meyer"] = {{0.02, 4000, 250}, 87.9458, function(a, b, c)
    return a * (b / (i16 * 5 + 45 + c)):exp() - meyer_y
  end, dense = true},
  ["12 Box"] = {{0, 10, 20}, 0, function(a, b, c)
    local t = i10 / 10
    return (-t * a):exp() - (-t * b):exp() - c * ((-t):exp() - (-t * 10):exp())
  end},
  ["13 Powell's singular function"] = {{3, -1, 0, 1}, 0, function(a, b, c, d)
    return tide.stack{a + b * 10, (c - d) * 5 ^ 0.5, (b - c * 2):square(), (a - d):square() * 10 ^ 0.5}
  end},
  ["15 Kowalik and Osborne"] = {{0.25, 0.39, 0.415, 0.39}, 3.07505e-4, function(a, b, c, d)
    return kowalik_y - a * (kowalik_u:square() + kowalik_u * b) / (kowalik_u:square() + kowalik_u * c + d)
  end},
  ["16 Brown and Dennis"] = {{25, 5, -5, -1}, 85822.2, function(a, b, c, d)
    local t = i20 / 5
    return (a + t * b - t:exp()):square() + (c + d * t:sin() - t:cos()):square()
  end},
}
for name, problem in pairs(problems) do
  tests["published minimum " .. name] = function()
    for _, solver in ipairs{"dense", not problem.dense and "cg" or nil} do
      local m = {x = f64(problem[1])}
      local opt = optim.levenberg_marquardt(m, {solver = solver, max_iter = 400, tolerance_change = 1e-13,
        cg_tolerance = 1e-8})
      local _, report = opt:step(function(p)
        local x = {}
        for i = 1, #problem[1] do x[i] = p.x:select(1, i) end
        return problem[3](table.unpack(x))
      end)
      check.near(2 * report.loss, problem[2], 1e-5 * problem[2] + 1e-9)
      assert(tostring(report):find("ended by tolerance", 1, true), tostring(report))
    end
  end
end

tests["no step gains: the damping grows by 2, 4, 8, ... to its end, and the model stays"] = function()
  local m, x0 = {x = f64{1, 2}}, f64{1, 2}
  local opt = optim.levenberg_marquardt(m, {solver = "cg", tolerance_change = 0})
  local _, report = opt:step(function(p) return tide.where(p.x:eq(x0), p.x, math.huge) end)
  -- 1e-3 * 2^(1 + 2 + ... + 20) is the first beyond 1e60
  assert(report.evaluations == 21 and report.reason == "no_gain", tostring(report))
  check.near(report.damping / (1e-3 * 2.0 ^ 210), 1)
  assert(opt:state().growth:item() == 2 ^ 21 and m.x:eq(x0):all():item() == 1)
end

tests["a network in float32, with more parameters than its residuals can tell apart"] = function()
  local set = tide.data.spheres{inner = 15, outer = 30}
  local net = tide.nn.odenet{dim = 2, hidden = 10, augment = 1, out = 1, seed = 1,
    solver = {method = "rk4", steps = 3}}
  local opt = optim.levenberg_marquardt(net, {max_iter = 15})
  local first, report = opt:step(function(p) return p(set.x) - set.y end)
  assert(report.loss < 0.2 * first, tostring(report))
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
