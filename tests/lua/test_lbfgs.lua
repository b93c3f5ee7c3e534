-- optim.lbfgs: trajectories of PyTorch, known minima and rates, states that resume bit for bit, trainings,
-- bad closures.
local check = require "check"
local tide = require "tide"
local optim = tide.optim

local F64 = {dtype = "float64"}
local c, d = tide.tensor({0.7, -1.1, 0.4}, F64), tide.tensor({{1.5, -0.6}}, F64)

local function loss(m)
  return (m.a ^ 4):sum() / 4 + (m.a * c):sum() + (m.b:sin() * d):sum()
    + m.b:square():sum() * m.a:select(1, 1) ^ 2
end
local function new_model()
  return {a = tide.tensor({1, -2, 0.5}, F64), b = tide.tensor({{0.3, -0.7}}, F64)}
end
local function closure_of(fn)
  return tide.compile(tide.value_and_grad(fn)) -- which step calls with the model
end
local function values(m) return table.move(m.b:reshape{-1}:totable(), 1, 2, 4, m.a:totable()) end
local function same(a, b)
  for i, v in ipairs(a) do assert(v == b[i], ("entry %d: %.17g and %.17g"):format(i, v, b[i])) end
end

local function rosenbrock(m)
  local x, y = m.x:select(1, 1), m.x:select(1, 2)
  return (y - x * x):square() * 100 + (1 - x):square()
end

local tests = {}

-- Made with PyTorch (CPU) in float64: parameters (a, b) after steps 1, 3 and 6, and the loss of step 6.
local golden = {
  {{lr = 0.3, max_iter = 1, history_size = 3}, 1.4993888912034405, {
    {0.9476091645135178, -1.8333018870884656, 0.4903828011781807, 0.2627584557531787, -0.665947691466657},
    {0.7375233071680095, -1.4309690420089751, 0.41979888312307323, 0.037999972599972016, -0.5119485893757562},
    {0.19832330723330902, -0.8319858444958347, 0.08029281306082951, -0.8517964186899786,
      -0.09621783570523482}}},
  {{lr = 0.8, max_iter = 4, history_size = 2}, -3.1977911334402065, {
    {-0.4559172692869095, -0.07119013818278294, -0.17705479174396455, -1.6807913645370944,
      0.32334495949827824},
    {-0.07375508170389126, 1.0458334954767567, -0.7341477876682524, -1.5645565725596589, 1.5346215196691877},
    {-0.07263768196616134, 1.0322827608894272, -0.7368092128340045, -1.5598082532556825,
      1.5436001309985774}}},
}
tests["trajectories of PyTorch, without a search"] = function()
  for _, case in ipairs(golden) do
    local m = new_model()
    case[1].line_search_fn = "none"
    local opt, last, row = optim.lbfgs(m, case[1]), nil, 0
    for n = 1, 6 do
      last = opt:step(closure_of(loss))
      if n == 1 or n == 3 or n == 6 then
        row = row + 1
        for i, v in ipairs(values(m)) do check.near(v, case[3][row][i], 1e-11) end
      end
    end
    check.near(last, case[2], 1e-12)
  end
end

-- PyTorch takes lr |gradient| where no curvature > 0 was seen yet: it ends at 98 after 200 evaluations.
tests["without a search, from where curvatures are < 0"] = function()
  local m, evaluations = {x = tide.tensor({0.05, -0.1, 0.02}, F64)}, 0
  local well = tide.value_and_grad(function(p) return ((p.x * p.x - 1) ^ 2):sum() * 50 end)
  local opt, last = optim.lbfgs(m, {line_search_fn = "none"}), nil
  for _ = 1, 10 do
    last = opt:step(function(p)
      evaluations = evaluations + 1
      return well(p)
    end)
  end
  assert(last < 1e-15 and evaluations <= 40, ("%g after %d evaluations"):format(last, evaluations))
end

tests["the minimum that PyTorch finds, to all digits, and why it ends"] = function()
  local m = new_model()
  local opt = optim.lbfgs(m, {max_iter = 50, tolerance_grad = 1e-12, tolerance_change = 0})
  local first, report = opt:step(closure_of(loss))
  check.near(first, 8.775435922334625, 1e-12)
  local want = {-0.07263630447370355, 1.0322801185493615, -0.7368062938314598, -1.559823204338629,
    1.5436452472077047} -- PyTorch ends at a gradient of 1e-8
  for i, v in ipairs(values(m)) do check.near(v, want[i], 2e-8) end
  assert(report.reason == "tolerance_grad" and report.gradient <= 1e-12 and report.evaluations <= 30)
  check.near(report.loss, -3.1977912038756333, 1e-14)
  first, report = opt:step(closure_of(loss))
  assert(first < -3.19 and report.iterations == 0 and report.evaluations == 1)
end

tests["Rosenbrock's function: the minimum, faster than linearly"] = function()
  local m, errors = {x = tide.tensor({-1.2, 1}, F64)}, {}
  local opt = optim.lbfgs(m, {max_iter = 1, tolerance_grad = 0, tolerance_change = 0})
  for n = 1, 60 do
    local _, report = opt:step(closure_of(rosenbrock))
    errors[n] = (m.x - 1):abs():max():item()
    if report.gradient < 1e-10 then break end
  end
  local n = #errors
  assert(n < 50 and errors[n] < 1e-10, n .. " " .. errors[n])
  assert(errors[n] / errors[n - 1] < 0.05 and errors[n - 1] / errors[n - 2] < 0.3)
  local long = {x = tide.zeros({40}, F64)}
  local function chain(p)
    local a, b = p.x:slice(1, 1, 39), p.x:slice(1, 2, 40)
    return ((b - a * a):square() * 100 + (1 - a):square()):sum()
  end
  local _, report = optim.lbfgs(long, {max_iter = 500, tolerance_change = 0}):step(closure_of(chain))
  assert(report.reason == "tolerance_grad" and (long.x - 1):abs():max():item() < 1e-7)
end

-- Logistic regression with a penalty, and its minimum by Newton's method.
local function logistic()
  local x = tide.randn({200, 3}, {seed = 4, dtype = "float64"})
  local noise = tide.randn({200}, {seed = 5, dtype = "float64"})
  local y = (x:matmul(tide.tensor({1, -2, 0.5}, F64)) + noise):gt(0):to("float64") * 2 - 1
  local function objective(m, batch)
    batch = batch or {x = x, y = y}
    local margin = (batch.x:matmul(m.w) + m.b) * batch.y
    return tide.softplus(-margin):mean() + m.w:square():sum() * 0.01
  end
  local newton = {w = tide.zeros({3}, F64), b = tide.zeros({}, F64)}
  for _ = 1, 10 do
    local g = tide.grad(objective)(newton)
    local step = tide.linalg.solve(tide.hessian(objective, newton, {flat = true}),
      tide.cat{g.b:reshape{1}, g.w})
    newton = {w = newton.w - step:slice(1, 2, 4), b = newton.b - step:select(1, 1)}
  end
  return objective, newton, {x = x, y = y}
end

tests["logistic regression: Newton's minimum; float32 as far as it goes"] = function()
  local objective, newton = logistic()
  for dtype, limit in pairs{float64 = 1e-7, float32 = 2e-4} do
    local o = {dtype = dtype}
    local m = {w = tide.zeros({3}, o), b = tide.zeros({}, o)}
    local _, report = optim.lbfgs(m, {max_iter = 60, tolerance_change = 1e-14,
      tolerance_grad = 1e-10}):step(closure_of(objective))
    assert((m.w - newton.w):abs():max():item() < limit, dtype)
    assert(report.reason ~= "max_iter" and report.reason ~= "max_eval", report.reason)
  end
end

tests["a training with all samples; cut off and gone on with, the same bits"] = function()
  local objective, newton, set = logistic()
  local function train(m, more)
    local o = {model = m, data = set, loss = objective, quiet = true,
      optimizer = optim.lbfgs(m, {max_iter = 3, tolerance_grad = 0, tolerance_change = 0})}
    for k, v in pairs(more) do o[k] = v end
    return tide.train(o)
  end
  local function fresh() return {w = tide.zeros({3}, F64), b = tide.zeros({}, F64)} end
  local whole, cut = fresh(), fresh()
  local history = train(whole, {epochs = 8})
  assert((whole.w - newton.w):abs():max():item() < 1e-6 and #history == 8)
  assert(history.loss[8] < history.loss[1])
  check.in_folder(function(folder)
    local path = folder .. "/a.npz"
    train(cut, {epochs = 3, checkpoint = path})
    cut = fresh()
    train(cut, {epochs = 8, checkpoint = path})
  end)
  assert((cut.w - whole.w):abs():max():item() == 0 and cut.b:item() == whole.b:item())
  local parts = fresh()
  train(parts, {epochs = 8, batch = 50, accumulate = 4, shuffle = false})
  assert((parts.w - whole.w):abs():max():item() < 1e-7)
end

tests["a training counts all evaluations, and random numbers stay within a step"] = function()
  local x = tide.randn({12, 2}, {seed = 1, dtype = "float64"})
  local model = tide.nn.odenet{dim = 2, hidden = 4, out = 1, seed = 2, dtype = "float64",
    solver = {method = "rk4", steps = 4}}
  local opt, counts = optim.lbfgs(model, {max_iter = 4}), 0
  local step = opt.step
  rawset(opt, "step", function(self, closure)
    return step(self, function()
      counts = counts + 1
      return closure()
    end)
  end)
  local history = tide.train{model = model, optimizer = opt, epochs = 1, quiet = true, data = {x = x, y = x},
    loss = function(m, b)
      local noisy = b.x + tide.randn(b.x:shape(), {dtype = "float64"}) * 0.1
      return tide.mse(m(noisy), b.y:slice(2, 1, 1))
    end}
  assert(counts > 3 and history.nfe_forward[1] == 16 * counts, history.nfe_forward[1] .. " " .. counts)
end

tests["a state resumes bit for bit, and is refused where it does not fit"] = function()
  local a, b = new_model(), new_model()
  local one, other = optim.lbfgs(a, {max_iter = 2, history_size = 3, lr = 0.9}),
    optim.lbfgs(b, {history_size = 5})
  for _ = 1, 3 do one:step(closure_of(loss)) end
  local state = check.in_folder(function(folder)
    tide.save(folder .. "/s.npz", one:state())
    return tide.load(folder .. "/s.npz")
  end)
  other:load_state(state)
  b.a:copy_(a.a)
  b.b:copy_(a.b)
  assert(other.history_size == 3 and other.lr == 0.9 and other.line_search_fn == "strong_wolfe")
  for _ = 1, 3 do
    one:step(closure_of(loss))
    other:step(closure_of(loss))
    same(values(a), values(b))
  end
  local short = optim.lbfgs{x = tide.ones({4}, F64)}
  check.fails("expected {4} (float64); it belongs to another", function() short:load_state(state) end)
  local adam = optim.adam(a)
  check.fails("adam: the state has no \"m\"", function() adam:load_state(state) end)
  check.fails("lbfgs: the state has \"m\"", function() one:load_state(adam:state()) end)
  optim.lbfgs(new_model()):load_state(optim.lbfgs(new_model()):state())
end

tests["bad closures and numbers: an error that says so, and nothing has changed"] = function()
  local m = new_model()
  local before, opt = values(m), optim.lbfgs(m)
  local function step(fn)
    return function() opt:step(fn) end
  end
  check.fails("step takes a function of the model", step(tide.grad(loss)(m)))
  check.fails("the closure must return the loss, a scalar, and its gradients", step(function() return 3 end))
  check.fails("got a table and nil", step(function() return tide.grad(loss)(m) end))
  check.fails('the gradient has "z" where the model has "b"', step(function()
    return 1, {a = m.a, z = m.b}
  end))
  check.fails("the gradient of a has shape {1, 2}", step(function() return 1, {a = m.b, b = m.a} end))
  check.fails("lbfgs: step 1: the loss is nan. The model is as before", step(function()
    return 0 / 0, {a = m.a:clone(), b = m.b:clone()}
  end))
  check.fails("the gradient of a[2] is inf", step(function()
    return 1, {a = tide.tensor({1, math.huge, 0}, F64), b = m.b}
  end))
  local calls = 0
  check.fails("my own", step(function()
    calls = calls + 1
    if calls == 3 then error("my own") end
    return tide.value_and_grad(loss)(m)
  end))
  same(values(m), before)
  check.fails("with a colon", opt.step, m)
  check.fails('did you mean "max_iter"', optim.lbfgs, m, {max_iters = 1})
  check.fails('one of "strong_wolfe", "none"', optim.lbfgs, m, {line_search_fn = "wolfe"})
  local ok, failure = tide.attempt(function() opt:step(function() return 0 / 0, tide.grad(loss)(m) end) end)
  assert(not ok and failure.status == "not_finite" and failure.step == 1)
end

tests["a loss that is not finite far away only shortens the step"] = function()
  local m = {x = tide.tensor({0.5}, F64)}
  local function barrier(p) return (p.x * 1000 - (p.x:log() + (2 - p.x):log())):sum() end
  local _, report = optim.lbfgs(m, {max_iter = 100, tolerance_change = 0}):step(closure_of(barrier))
  local x = m.x[1]
  assert(math.abs(1000 - 1 / x + 1 / (2 - x)) < 1e-6 and report.reason == "tolerance_grad", report.reason)
  local q = {x = tide.tensor({0.5}, F64)}
  local opt = optim.lbfgs(q, {line_search_fn = "none", lr = 100})
  check.fails("lower lr", function() opt:step(closure_of(barrier)) end)
  assert(q.x[1] == 0.5)
end

tests["a search that finds nothing: once more without history, then the end, at the best point"] = function()
  for _, wrong_from in ipairs{1, 2, 6, 10} do -- from that evaluation on the gradient points the other way
    local m, calls = {x = tide.tensor({1, 2}, F64)}, 0
    local scale = tide.tensor({1, 30}, F64)
    local function long(p) return ((p.x * scale) ^ 2):sum() + (p.x ^ 4):sum() end
    local opt = optim.lbfgs(m, {max_iter = 30})
    local before, report = opt:step(function(p)
      calls = calls + 1
      local value, g = tide.value_and_grad(long)(p)
      return value, calls < wrong_from and g or {x = -g.x}
    end)
    assert(report.reason == "line_search" and report.loss == long(m):item(), wrong_from)
    assert(wrong_from == 1 and report.loss == before or report.loss < before)
    local _, again = opt:step(tide.value_and_grad(long)) -- and goes on from there
    assert(again.loss < 1e-9 and again.reason ~= "line_search", again.reason)
  end
end

tests["trainings that do not go"] = function()
  local _, _, set = logistic()
  local function train(more)
    local m = tide.nn.linear(3, 1, {dtype = "float64"})
    local o = {model = m, data = {x = set.x, y = set.y:reshape{200, 1}}, optimizer = optim.lbfgs(m),
      epochs = 1, quiet = true}
    for k, v in pairs(more) do o[k] = v end
    return function() tide.train(o) end
  end
  check.fails("leave batch out (all 200 samples), or accumulate = 10", train{batch = 20})
  check.fails("clip does not go with optim.lbfgs", train{clip = {norm = 1}})
  check.fails("the loss is nan", train{loss = function(p) return (p * 0 / 0):sum() end})
  local history = tide.train{model = tide.nn.linear(3, 1), data = {x = set.x:to "float32",
    y = set.y:reshape{200, 1}:to "float32"}, optimizer = "lbfgs", epochs = 2, quiet = true}
  assert(history.loss[2] < history.loss[1])
end

return tests
