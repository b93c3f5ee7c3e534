-- tide.ode.validity and tide.ode.crossings on models whose answer is known.
local check = require "check"
local tide = require "tide"

local tests = {}
local float64 = {dtype = "float64"}

local function near(a, b, tolerance)
  assert(math.abs(a - b) <= tolerance, ("%.9g, expected %.9g"):format(a, b))
end

-- Half a turn: dz/dt = i pi z. The class is the larger coordinate. K Euler steps turn by K atan(pi / K),
-- which is too little; on points all around the circle each degree too little flips 2/360 of the labels.
local N = 7200
local function half_turn(steps)
  local A = tide.tensor({{0, math.pi}, {-math.pi, 0}}, float64)
  return tide.nn.odeblock(function(_, y) return y:matmul(A) end, {method = "euler", steps = steps})
end

local function circle()
  local angle = (tide.arange(0, N - 1, 1, float64) + 0.5) * (2 * math.pi / N)
  local x = tide.stack({angle:cos(), angle:sin()}, 2)
  return {x = x, y = (-x):argmax(2)} -- half a turn is -x
end

local function flipped(steps) return 2 * math.deg(math.pi - steps * math.atan(math.pi / steps)) / 360 end

tests["validity: flips and critical step of a known flow"] = function()
  local report = tide.ode.validity{model = half_turn(4), data = circle(), threshold = 0.05,
    methods = {"euler", "rk4"}}
  assert(report.verdict == "not valid" and report.valid == 0 and #report.models == 1)
  local seen = {}
  for _, row in ipairs(report.rows) do
    if row.method == "euler" then
      near(row.accuracy, 1 - flipped(row.setting), 5e-4)
      near(row.flips, math.abs(flipped(row.setting) - flipped(4)), 5e-4)
      seen[row.setting] = true
      assert(row.finer == (row.setting >= 4) and row.trained == (row.setting == 4))
      -- distance to the reference in units of the spread (1): |(1 + i pi / K)^K - (-1)|
      local r, turn = (1 + (math.pi / row.setting) ^ 2) ^ (row.setting / 2),
        row.setting * math.atan(math.pi / row.setting)
      near(row.distance, math.sqrt(r * r + 1 + 2 * r * math.cos(turn)), 1e-5)
    end
  end
  assert(seen[2] and seen[3] and seen[4] and seen[6] and seen[8])
  local critical = 1
  while flipped(critical) > 0.05 do critical = critical + 1 end
  assert(report.models[1].critical_steps == critical, report.models[1].critical_steps)
  near(report.models[1].critical_step, 1 / critical, 1e-15)
  near(report.models[1].worst, flipped(4), 1e-3) -- rk4 and the reference make the full turn
  assert(tostring(report):find("trained with euler, 4 steps", 1, true)
    and tostring(report):find("not valid", 1, true))
  local fine = tide.ode.validity{model = half_turn(64), data = circle()}
  assert(fine.verdict == "valid" and fine.worst < 0.05)
end

tests["validity: several models, and the table as CSV"] = function()
  local report = tide.ode.validity{models = {half_turn(4), half_turn(4)}, data = circle(), factors = {1, 2},
    methods = {"euler", "rk4"}, critical = false}
  assert(report.verdict == "not valid" and #report.rows == 5 and report.rows[1].models == 2
    and report.rows[1].accuracy_std == 0)
  local csv = check.in_folder(function(folder)
    report:write(folder .. "/report.csv", {"a comment"})
    return tide.csv.read(folder .. "/report.csv")
  end)
  assert(csv.rows == 5 and csv.comments[1] == "a comment" and csv.columns.method[3] == "rk4")
  local mixed = tide.ode.validity{models = {half_turn(4), half_turn(4)}, data = circle(),
    solver = {method = "rk4", steps = 8}, critical = false}
  assert(mixed.verdict == "valid" and mixed.trained == "rk4, 8 steps")
end

tests["validity: adaptive solvers"] = function()
  local report = tide.ode.validity{model = half_turn(4), data = circle(),
    solver = {method = "dopri5", rtol = 1e-6, atol = 1e-6}}
  assert(report.verdict == "valid" and report.models[1].critical_tolerance >= 1e-2)
end

tests["validity: misuse"] = function()
  local d = circle()
  check.fails("give model, or models", tide.ode.validity, {data = d})
  check.fails("models is empty", tide.ode.validity, {models = {}, data = d})
  check.fails("model must hold an ODE block", tide.ode.validity, {model = tide.nn.linear(2, 2), data = d})
  check.fails("data must be a table {x = tensor, y = tensor}", tide.ode.validity,
    {model = half_turn(4), data = {x = d.x}})
  check.fails("factors[1] must be a number > 0, got 0", tide.ode.validity,
    {model = half_turn(4), data = d, factors = {0}})
  check.fails('unknown option "modell" (did you mean "model"?)', tide.ode.validity,
    {modell = half_turn(4), data = d})
end

local function shrink(rate, steps)
  return tide.nn.odeblock(function(_, y) return y * -rate end, {method = "euler", steps = steps})
end

tests["a chain that holds the block is the model of its layers; one with two blocks is refused"] = function()
  local nn, solver = tide.nn, {method = "euler", steps = 4}
  local net = nn.odenet{dim = 2, augment = 1, out = 2, time = false, seed = 1, solver = solver}
  local data = tide.data.three_spheres{dim = 2, n = 60, seed = 1}
  local function told(model)
    return tostring(tide.ode.validity{model = model, data = data, solver = solver})
      .. tostring(tide.ode.crossings{model = model, data = data, solver = solver, points = 8})
  end
  local wanted = told(net)
  assert(told(nn.chain{net.augment, net.block, net.out}) == wanted)
  assert(told(nn.chain{nn.chain{net.augment, nn.chain{net.block}}, net.out}) == wanted)
  assert(told(nn.chain{net.augment, nn.chain{net.block, net.out}}) == wanted)
  for _, two in ipairs{nn.chain{net.augment, net.block, net.block, net.out},
    nn.chain{net.augment, nn.chain{net.block, net.block}, net.out}} do
    check.fails("hold an ODE block each", told, two)
    check.fails("hold an ODE block each", tide.step_adaption.new, {model = two, x = data.x})
  end
end

tests["crossings: one dimension"] = function()
  local x = tide.tensor({{-1}, {0.5}, {2}, {3}}, float64)
  local r = tide.ode.crossings{model = shrink(3, 1), x = x} -- one step: y -> -2 y reverses all pairs
  assert(r.inversions.count == 6 and r.inversions.pairs == 6 and r.orientation.negative == 4)
  near(r.orientation.least_det, -2, 1e-12)
  near(r.orientation.smallest, 2, 1e-12)
  near(r.h_lipschitz, 3, 1e-9)
  assert(r.verdict:find("no flow: points change order", 1, true)
    and tostring(r):find("6 inversions", 1, true))
  r = tide.ode.crossings{model = shrink(3, 6), x = x}
  assert(r.inversions.count == 0 and r.orientation.negative == 0 and r.verdict:find("h L < 1", 1, true))
  near(r.h_lipschitz, 0.5, 1e-9)
end

-- Steps of 0.3, 0.3, 0.3, 0.1: the first three reverse all, where four equal ones would reverse none.
tests["crossings: a step_size that does not divide the span is judged by its own steps"] = function()
  local model = tide.nn.odeblock(function(_, y) return y * -3.6 end, {method = "euler", step_size = 0.3})
  local x = tide.tensor({{-1}, {0.5}, {2}, {3}}, float64)
  local r = tide.ode.crossings{model = model, x = x}
  assert(r.steps == 4 and r.h == 0.3 and r.orientation.negative == 12 and r.orientation.points == 16)
  assert(r.verdict:find("no flow: points change order", 1, true), r.verdict)
  near(r.orientation.least_det, 1 - 0.3 * 3.6, 1e-12)
  near(r.h_lipschitz, 1.08, 1e-9)
  near(model(x)[4][1], 3 * (1 - 1.08) ^ 3 * (1 - 0.36), 1e-12)
  r = tide.ode.crossings{model = model, x = x, solver = {method = "euler", step_size = 0.25}}
  local same = tide.ode.crossings{model = model, x = x, solver = {method = "euler", steps = 4}}
  assert(tostring(r) == tostring(same) and r.orientation.negative == 0)
  r = tide.ode.crossings{model = model, x = x, solver = {method = "euler", step_size = 3, t = {1, 0.9}}}
  assert(r.steps == 1)
  near(r.h, 0.1, 1e-15)
end

tests["crossings: two dimensions"] = function()
  local x = tide.tensor({{1, 0.1}, {-0.2, 1}, {-1, -0.3}}, float64)
  -- through the origin, beyond it: all paths cross there
  local r = tide.ode.crossings{model = shrink(3, 1), x = x, same_step = false}
  -- det = (-2)^2 > 0
  assert(r.intersections.crossings == 3 and r.intersections.steep >= 2 and r.orientation.negative == 0)
  assert(r.verdict:find("paths cross", 1, true))
  r = tide.ode.crossings{model = shrink(3, 32), x = x, same_step = false}
  assert(r.intersections.steep == 0)
end

tests["crossings: high dimensions have the Lipschitz estimate only"] = function()
  local r = tide.ode.crossings{model = shrink(2, 4), x = tide.randn({3, 30}, {seed = 1})}
  assert(r.orientation == nil and r.inversions == nil and r.intersections == nil)
  near(r.h_lipschitz, 0.5, 1e-6)
  check.fails("the solver must have fixed steps", tide.ode.crossings,
    {model = shrink(2, 4), x = tide.ones{2, 2}, solver = {method = "dopri5"}})
end

return tests
