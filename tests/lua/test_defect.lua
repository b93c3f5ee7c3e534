-- stats.defect: what the errors of the steps do to a loss, against losses by other solvers.
local check = require "check"
local tide = require "tide"
local ode = tide.ode

local tests = {}

local y0 = tide.tensor({{0.3, 0.5}, {-0.4, 1.1}, {0.9, -0.2}}, {dtype = "float64"})

local function field(t, y)
  local a, b = y:slice(2, 1, 1), y:slice(2, 2, 2)
  return tide.cat({b * 1.3 + (a * b):sin() * 0.5, b * 0.2 - a:sin() * 1.7}, 2) + y * (t * 0.3)
end

-- The loss of a solve that looks at all its times, with its gradient, and the statistics.
local function run(o, times, start, f)
  times, start = times or {0, 1.5}, start or y0
  local step = tide.compile(function(y)
    return tide.value_and_grad(function(p)
      local ys = tide.odeint(f or field, p, times, o)
      return ys:square():sum() + ys:slice(1, #times, #times):sin():sum()
    end)(y)
  end)
  local stats, value, gradient = ode.counted(step, start)
  return value:item(), stats, gradient
end

local function near(a, b, tolerance, what)
  assert(math.abs(a - b) <= tolerance * math.abs(b), ("%s: %.12g, expected %.12g"):format(what, a, b))
end

tests["euler: what a better solver would change, to leading order"] = function()
  local exact = run{method = "dopri8", rtol = 1e-12, atol = 1e-12}
  local off = {}
  for i, n in ipairs{1024, 2048} do
    local loss, stats = run{method = "euler", steps = n, defect = true}
    near(stats.defect, exact - loss, 2e-3, n .. " steps")
    off[i] = exact - loss - stats.defect
  end
  near(off[1] / off[2], 4, 0.1, "the rest is of order 2") -- the defect itself is of order 1
end

tests["one step of euler by hand"] = function()
  -- y' = y, loss y^2: y = 1 + h, a = 2 y, d = h/2 (y - 1)
  local step = tide.grad(function(y)
    return tide.odeint(function(_, x) return x end, y, {0, 0.5}, {method = "euler", steps = 1,
      defect = true}):slice(1, 2, 2):square():sum()
  end)
  local stats = ode.counted(step, tide.tensor({1}, {dtype = "float64"}))
  near(stats.defect, 2 * 1.5 * 0.25 * 0.5, 1e-14, "defect")
end

-- The embedded method as one of its own, on the same grid.
local function embedded(m)
  local b = {}
  for i, v in ipairs(m.b) do b[i] = v - m.b_error[i] end
  return {A = m.A, b = b, c = m.c}
end

tests["with an error estimate: the method minus its embedded one"] = function()
  local checked = 0
  for _, m in ipairs(check.methods()) do
    if m.family == "explicit" and m.b_error and m.error_order <= 7 then
      local n = m.error_order == 1 and 512 or 16
      local loss, stats = run{method = m.name, steps = n, defect = true}
      local other = run{method = embedded(m), steps = n}
      -- where differences of losses do not drown in rounding
      near(stats.defect, loss - other, math.max(1e-2, 1e-13 / math.abs(loss - other)), m.name)
      local own = {A = m.A, b = m.b, c = m.c, b_error = m.b_error, order = m.order}
      local _, mine = run{method = own, steps = n, defect = true}
      near(mine.defect, stats.defect, 1e-9, m.name .. " as a tableau")
      checked = checked + 1
    end
  end
  assert(checked >= 6)
end

-- A stage that only the error uses, and which is not f at the end.
tests["a stage for the error alone"] = function()
  local own = {A = {{}, {1}, {0.5}}, b = {0.5, 0.5, 0}, c = {0, 1, 0.5}, b_error = {0.5, 0.5, -1}, order = 2}
  local loss, stats = run{method = own, steps = 64, defect = true}
  near(stats.defect, loss - run{method = "midpoint", steps = 64}, 1e-2, "heun minus midpoint")
end

tests["it costs two evaluations with euler, one or none otherwise; nothing where nobody asks"] = function()
  for method, cost in pairs{euler = 2, heun_euler = 0, bosh3 = 1, dopri5 = 1} do
    local loss, stats, gradient = run{method = method, steps = 12, defect = true}
    local same, plain, other = run{method = method, steps = 12}
    assert(loss == same and gradient:ne(other):to("int64"):sum():item() == 0, method)
    assert(stats.nfe == plain.nfe and stats.nfe_backward == plain.nfe_backward + cost, method)
    assert(plain.defect == nil, method)
  end
  local forward = ode.counted(function()
    return tide.odeint(field, y0, {0, 1}, {method = "euler", steps = 3, defect = true})
  end)
  assert(forward.defect == nil) -- it comes with the gradient
end

tests["checkpoints, outputs on the way, backwards in time, a shorter last step"] = function()
  for _, method in ipairs{"euler", "heun_euler", "dopri5"} do
    for _, grid in ipairs{{steps = 12}, {step_size = 0.13}} do
      for _, times in ipairs{{0, 1.5}, {0, 0.5, 0.75, 1.5}, {1.5, 0.2}} do
        local o = {method = method, steps = grid.steps, step_size = grid.step_size, defect = true}
        local _, direct = run(o, times)
        o.gradient, o.checkpoint_steps = "checkpoint", 5
        local _, again = run(o, times)
        assert(direct.defect == again.defect and direct.defect ~= 0, method)
      end
    end
  end
  -- outputs at ends of steps are the losses of both formulas there
  local times = {0, 0.375, 0.75, 1.5}
  local loss, stats = run({method = "heun_euler", steps = 512, defect = true}, times)
  near(stats.defect, loss - run({method = "euler", steps = 512}, times), 1e-2, "heun minus euler")
end

tests["adaptive: equal steps give the same, jumps and outputs are looked at anew"] = function()
  local function equal(n)
    return {method = "dopri5", rtol = 10, atol = 10, first_step = 1.5 / n, max_step = 1.5 / n, defect = true}
  end
  local _, fixed = run{method = "dopri5", steps = 16, defect = true}
  local _, adaptive = run(equal(16))
  assert(adaptive.accepted == 16)
  near(adaptive.defect, fixed.defect, 1e-6, "equal steps")
  local function jumping(t, y) return field(t, y) + t:gt(0.75):to("float64") end
  local o = equal(16)
  o.jumps = {0.75}
  local loss, stats = run(o, nil, nil, jumping)
  local dopri5
  for _, m in ipairs(check.methods()) do if m.name == "dopri5" then dopri5 = m end end
  o.method, o.defect = embedded(dopri5), nil
  o.method.b_error = dopri5.b_error
  near(stats.defect, loss - run(o, nil, nil, jumping), 3e-3, "with a jump")
end

tests["tiles, float32, several solves"] = function()
  local many = tide.randn({600, 2}, {dtype = "float64", seed = 3})
  local o = {method = "euler", steps = 20, defect = true}
  local _, whole = run(o, nil, many)
  local sum = 0
  for i = 1, 600, 100 do
    local _, part = run(o, nil, many:slice(1, i, i + 99))
    sum = sum + part.defect
  end
  near(whole.defect, sum, 1e-12, "tiles")
  local _, single = run(o, nil, many:to("float32"))
  near(single.defect, whole.defect, 1e-4, "float32")
  local step = tide.compile(tide.grad(function(y)
    local function solve(n) return tide.odeint(field, y, {0, 1}, {method = "euler", steps = n,
      defect = true}):square():sum() end
    return solve(4) + solve(9)
  end))
  local both = ode.counted(step, y0)
  local function alone(n)
    return ode.counted(tide.grad(function(y)
      return tide.odeint(field, y, {0, 1}, {method = "euler", steps = n, defect = true}):square():sum()
    end), y0).defect
  end
  near(both.defect, alone(4) + alone(9), 1e-12, "sum")
end

tests["training: a column of the records, and the adaption sees it"] = function()
  local d = tide.data.spheres{dim = 2, inner = 20, outer = 40}
  local function train(solver, adaption)
    local model = tide.nn.odenet{dim = 2, hidden = 4, out = 1, seed = 1,
      solver = {method = "euler", steps = 2}}
    return tide.train{model = model, data = d, optimizer = tide.optim.sgd(model, {lr = 0}),
      iterations = 4, record_every = 2, batch = 60, shuffle = false, solver = solver, adaption = adaption,
      quiet = true}, model
  end
  local asked = {method = "euler", steps = 4, defect = true}
  local history, model = train(asked)
  local stats = ode.counted(tide.grad(function(m) return tide.mse(m(d.x, {solver = asked}), d.y) end), model)
  near(history.defect[2], stats.defect, 1e-6, "a record") -- the mean over the batches
  local seen
  train(nil, {solver = function() return asked end,
    observe = function(_, _, _, _, _, _, _, _, defect) seen = defect end})
  near(seen, stats.defect, 1e-6, "what an adaption sees")
  assert(train({method = "euler", steps = 4}).defect == nil)
end

tests["second derivatives do not know of it"] = function()
  local function second(defect)
    local function loss(y)
      return tide.odeint(field, y, {0, 1}, {method = "euler", steps = 5, defect = defect}):square():sum()
    end
    return tide.grad(function(y) return tide.grad(loss)(y):square():sum() end)(y0)
  end
  assert(second(true):ne(second(false)):to("int64"):sum():item() == 0)
end

tests["misuse"] = function()
  local function fails(words, o)
    o.defect = true
    check.fails(words, run, o)
  end
  fails("odeint: defect is for euler and explicit methods with an error estimate (heun_euler, bosh3, dopri5, "
    .. "...), got rk4", {method = "rk4", steps = 3})
  fails("got sdirk2", {method = "sdirk2", steps = 3})
  fails("got a tableau without b_error", {method = {A = {{}, {0.5}}, b = {0, 1}, c = {0, 0.5}, order = 2},
    steps = 3})
  fails('defect goes with gradient = "direct" or "checkpoint", got "adjoint"', {gradient = "adjoint"})
  fails("a field with eager = true has none", {eager = true})
end

return tests
