--- Regularisers of ODE blocks: the integrals, their gradients, who asks for them.

local tide = require "tide"
local check = require "check"

local tests = {}
local fails, near = check.fails, check.near
local f64 = {dtype = "float64"}
local nn = tide.nn

local function off(a, b) return (a - b):abs():max():item() end
local function normal(extents, seed) return tide.randn(extents, {dtype = "float64", seed = seed}) end
local function field_of(seed)
  return nn.mlp{sizes = {2, 6, 2}, act = "tanh", time = true, dtype = "float64", seed = seed or 1}
end
local function block(field, regularise, solver)
  local o = {rtol = 1e-10, atol = 1e-10, regularise = regularise}
  for k, v in pairs(solver or {}) do o[k] = v end
  return nn.odeblock(field, o)
end

-- y' = (y2, -y1 + t): y'' = (y2', -y1' + 1) = (-y1 + t, -y2 + 1), y''' = (-y2 + 1, y1 - t)
local function swing(t, y)
  return tide.stack({y:slice(2, 2, 2), t - y:slice(2, 1, 1)}, 2):reshape(y:shape())
end
local J2 = 2 -- squares of the entries of its Jacobian

tests["the integrals are those of the formulas, per number and sample"] = function()
  local x = normal({3, 2}, 2)
  local function squares(g)
    local _, _, q = tide.odeint(swing, x, {0, 2}, {rtol = 1e-10, atol = 1e-10, quadrature = g})
    return q[2]:mean():item()
  end
  local function parts(y) return y:slice(2, 1, 1), y:slice(2, 2, 2) end
  local function mean(u, v) return ((u:square() + v:square()) * 0.5):reshape{-1} end
  local want = {
    kinetic = squares(function(t, y) return swing(t, y):square():mean(2) end),
    [2] = squares(function(t, y)
      local u, v = parts(y)
      return mean(t - u, 1 - v)
    end),
    [3] = squares(function(t, y)
      local u, v = parts(y)
      return mean(1 - v, u - t)
    end),
  }
  local span = {t = {0, 2}}
  local function penalty(regularise) return nn.penalised(block(swing, regularise, span), x):item() end
  near(penalty{kinetic = 1}, want.kinetic, 1e-8)
  near(penalty{kinetic = 0.25}, want.kinetic / 4, 1e-8)
  near(penalty{derivative = 1, order = 1}, want.kinetic, 1e-8)
  near(penalty{derivative = 1}, want[2], 1e-8)
  near(penalty{derivative = 1, order = 3}, want[3], 1e-8)
  near(penalty{jacobian = 3}, 3 * 2 * J2 / 2, 1e-8) -- e^T J with e_i^2 = 1 has the squares of e's
  near(penalty{kinetic = 1, derivative = 2, order = 2, jacobian = 1},
    want.kinetic + 2 * want[2] + J2, 1e-8)
  local backwards = nn.penalised(block(swing, {kinetic = 1}, {t = {2, 0}}), x):item()
  assert(backwards > 0)
  tide.seed(2)
  local total = 0
  for _ = 1, 300 do
    local own = block(swing, {jacobian = 1, noise = "gaussian"}, {method = "rk4", steps = 4})
    total = total + nn.penalised(own, x):item()
  end
  near(total / 300, 1, 0.2)
end

tests["nobody asks: the block is as without, bit for bit; somebody does: the solve is the same"] = function()
  local field, x = field_of(), normal({4, 2}, 3)
  local all = {kinetic = 1, jacobian = 1, derivative = 1, end_time = 0.3}
  local plain, stats = block(field)(x)
  local quiet, s = block(field, all)(x)
  assert(off(plain, quiet) == 0 and s.nfe == stats.nfe)
  all.end_time = nil
  local penalty, asked, a = nn.penalised(block(field, all), x)
  assert(off(plain, asked) == 0 and a.nfe == stats.nfe and #penalty:shape() == 0)
  local none, same = nn.penalised(block(field), x)
  assert(none == 0 and off(same, plain) == 0)
  local states = block(field, all):trajectory(x, {0, 1})
  assert(off(states[2], plain) == 0)
end

tests["gradients: against differences, by each gradient, of fixed and adaptive steps"] = function()
  local x = normal({3, 2}, 4)
  local function loss(regularise, solver)
    return function(field)
      local penalty, y = nn.penalised(block(field, regularise, solver), x)
      return y:square():mean() + penalty
    end
  end
  local all = {kinetic = 0.3, jacobian = 0.2, derivative = 0.1, order = 3, noise = "gaussian",
    end_time = 0.2}
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    local ok, worst = tide.gradcheck(loss(all, {gradient = kind}), field_of())
    assert(ok or worst < 1e-5, kind .. " " .. tostring(worst))
  end
  for _, method in ipairs{"euler", "rk4", "sdirk2"} do
    local own = {kinetic = 0.3, jacobian = 0.2, derivative = 0.1}
    assert(tide.gradcheck(loss(own, {method = method, steps = 4}), field_of()), method)
  end
  local field = field_of()
  local run = loss({kinetic = 1, derivative = 1}, {})
  local at_once, compiled = tide.grad(run)(field), tide.compile(tide.grad(run))(field)
  assert(off(at_once.layers[1].weight, compiled.layers[1].weight) == 0)
end

tests["a random end: uniform, drawn anew at each run of what was compiled"] = function()
  local clock = block(function(_, y) return y * 0 + 1 end, {end_time = 0.5}, {t = {1, 3}})
  local run = tide.compile(function(x)
    local penalty, y = nn.penalised(clock, x)
    assert(penalty == 0)
    return y
  end)
  tide.seed(1)
  local x, list = tide.zeros({1, 1}, f64), {}
  for i = 1, 400 do list[i] = run(x):item() end
  table.sort(list)
  assert(list[1] > 1.5 and list[1] < 1.52 and list[400] < 2.5 and list[400] > 2.48)
  near(list[200], 2, 0.06)
  near(list[100], 1.75, 0.06)
end

tests["of models in training: the penalty joins what is made small, not the loss of the record"] = function()
  local data = tide.data.spheres{dim = 2, inner = 30, outer = 60}
  local function train(kinetic)
    local solver = {rtol = 1e-3, atol = 1e-3, regularise = kinetic and {kinetic = kinetic} or nil}
    local model = nn.odenet{dim = 2, hidden = 8, seed = 1, solver = solver}
    local history = tide.train{model = model, data = data, loss = "smooth_l1", epochs = 10, quiet = true,
      optimizer = tide.optim.adam(model, {lr = 1e-2})}
    local measured = nn.odeblock(model.block.field, {rtol = 1e-3, atol = 1e-3, regularise = {kinetic = 1}})
    return history, nn.penalised(measured, data.x):item()
  end
  local free, energy = train()
  local held, small = train(10)
  local unweighted, same = train(0)
  assert(held[1].loss < 2 and small < 0.5 * energy, ("%g, %g"):format(small, energy))
  near(unweighted[10].loss, free[10].loss, 1e-4)
  near(same, energy, 1e-3)
end

tests["flows: with the exact divergence and with noise that both share"] = function()
  local x = normal({3, 2}, 5)
  for _, kind in ipairs{"exact", "hutchinson"} do
    local solver = {rtol = 1e-10, atol = 1e-10,
      regularise = {kinetic = 0.5, jacobian = 0.5, derivative = 0.1, end_time = 0.1}}
    local flow = nn.cnf{dim = 2, hidden = 5, dtype = "float64", seed = 1, divergence = kind, solver = solver}
    assert(tide.gradcheck(function(m)
      local penalty, log = nn.penalised(m, x)
      return penalty - log:mean()
    end, flow))
    local plain = nn.cnf{dim = 2, field = flow.block.field, solver = {rtol = 1e-10, atol = 1e-10}}
    assert(off(flow:log_prob(x, {divergence = "exact"}), plain:log_prob(x)) == 0)
  end
  local flow = nn.cnf{dim = 2, field = swing, solver = {rtol = 1e-9, atol = 1e-9,
    regularise = {kinetic = 1, jacobian = 1}}}
  local energy = nn.penalised(nn.odeblock(swing, {rtol = 1e-9, atol = 1e-9, t = {1, 0},
    regularise = {kinetic = 1}}), x):item()
  near(nn.penalised(flow, x):item(), energy + 1, 1e-7)
end

tests["what is no regulariser"] = function()
  local field = field_of()
  local function with(regularise, solver) return function() return block(field, regularise, solver) end end
  fails({"regularise", 'unknown option "kinetics" (did you mean "kinetic"?)'}, with{kinetics = 1})
  fails("kinetic must be >= 0, got -1", with{kinetic = -1})
  fails({"order is that of derivative"}, with{order = 2})
  fails({"noise is that of jacobian"}, with{noise = "gaussian"})
  fails({"order must be in 1..6, got 9"}, with{derivative = 1, order = 9})
  fails({"end_time must be less than the span of 1, got 1"}, with{end_time = 1})
  fails("options must be a table", with(3))
  local one = block(field, {kinetic = 1})
  local x = normal({2, 2}, 1)
  fails({"expected a model or a function", "3"}, nn.penalised, 3)
  fails({"nn.penalised", "inside of the function that is recorded"}, nn.penalised, tide.compile(one), x)
  fails({"leave out the option quadrature"}, nn.penalised,
    block(field, {kinetic = 1}, {quadrature = function(_, y) return y end}), x)
  fails({"one tensor"}, nn.penalised, block(function(_, y) return y end, {kinetic = 1}), {a = x, b = x})
  local ok = pcall(nn.penalised, function() error("inside") end)
  assert(not ok)
  local penalty = nn.penalised(one, x)
  assert(penalty:item() > 0)
end

tests["what was compiled before somebody asked does not lose its penalty without a word"] = function()
  local x, b = normal({3, 2}, 2), block(field_of(), {kinetic = 1})
  local compiled = tide.compile(function(z) return b(z) end)
  local before = compiled(x)
  fails("a penalty cannot leave a recording; call nn.penalised inside", nn.penalised, compiled, x)
  assert(off(compiled(x), before) == 0)
  local both = tide.compile(function(z) return nn.penalised(b, z) end)
  assert(off(both(x), nn.penalised(b, x)) == 0)
end

return tests
