--- Data, models, solvers and training of *ResNet After All?* from the settings of presets.lua: what the
-- experiments of this folder share.

local here = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local tide = require "tide"
local experiment, files = require "tide.experiment", require "tide.files"

local M = dofile(here .. "/presets.lua") -- settings, config, cost, ... are here as well

--- Training and test set. The points depend on data_seed alone, so that seeds differ in weights and order of
-- the batches.
function M.data(s)
  local function make(n, seed, split)
    if s.kind == "signal" then
      local d = tide.data.three_spheres{dim = s.dim, n = n, seed = seed}
      return {x = d.x:reshape{n, 1, s.dim}, y = d.y}
    end
    if s.kind == "vector" then return tide.data.landscape{n = n, seed = seed} end
    return tide.data[s.data]{split = split, n = n}
  end
  return make(s.train, 2 * s.data_seed, "train"), make(s.test, 2 * s.data_seed + 1, "test")
end

--- Solver options for so many steps of a method, or a tolerance; "rk4" and "dopri5" are the preset's.
function M.solver(s, method, setting)
  if M.is_fixed(method) then return {method = method == "rk4" and s.rk4 or method, steps = setting} end
  return {method = method == "dopri5" and s.dopri5 or method, rtol = setting, atol = setting, final = s.final}
end

--- The model, untrained: an autonomous field with Kaiming initialisation (zero biases), then a linear layer.
-- No upstream layers (section 4.1).
function M.model(s)
  local solver = M.solver(s, s.method, s.steps or s.tolerance or not M.is_fixed(s.method) and 1e-6 or 1)
  if s.kind == "vector" then
    return tide.nn.odenet{dim = s.dim, hidden = s.hidden, out = s.classes, time = false, init = "kaiming",
      solver = solver, seed = s.seed}
  end
  return tide.nn.conv_odenet{image = s.image or {1, s.dim}, filters = s.filters, classes = s.classes,
    init = "kaiming", solver = solver, seed = s.seed}
end

--- Train to the end of the preset's iterations; returns history. more: further options of tide.train.
function M.train(s, model, data, more)
  local options = {model = model, data = data, optimizer = tide.optim[s.optimizer](model, {lr = s.lr}),
    loss = "cross_entropy", batch = s.batch,
                   iterations = s.iterations, drop_last = s.drop_last, seed = s.seed}
  for key, value in pairs(more or {}) do options[key] = value end
  return tide.train(options)
end

--- The start of a script that trains once: its options (rows and those of every run), settings(options), the
-- data, and the model. The folder of the table is made before the training, not after it.
function M.start(title, rows, settings, arguments)
  table.insert(rows, {"data-seed", 1, "of the points"})
  table.move(M.options, 1, #M.options, #rows + 1, rows)
  local o = experiment.parse(title, rows, arguments)
  local s = settings(o)
  experiment.folder((files.split(o.out)))
  local train, test = M.data(s)
  return o, s, train, test, M.model(s)
end

--- Comments of its tables; `message`: why the training failed.
function M.comments(s, arguments, message)
  local comments = experiment.provenance(arguments)
  comments[#comments + 1] = "config: " .. M.config(s)
  if message then comments[#comments + 1] = "failed: " .. tostring(message) end
  return comments
end

--- Where a training keeps its checkpoint until the table `out` is written.
function M.unfinished(out) return (out:gsub("%.csv$", "")) .. "-unfinished.npz" end

M.factors = {0.5, 0.75, 1, 1.5, 2}
local tolerance_factors = {0.01, 0.1, 1, 10, 100}

-- At another tolerance, as far as float32 resolves it.
local function tolerance_tests(s)
  local list = {}
  for _, method in ipairs(s.method == "dopri5" and {"dopri5"} or {s.method, "dopri5"}) do
    for _, factor in ipairs{1, table.unpack(tolerance_factors)} do
      local tolerance = factor * s.tolerance
      if tolerance >= tide.ode.smallest_rtol("float32") and tolerance <= 1
        and (factor ~= 1 or #list == 0 or list[#list].method ~= method) then
        list[#list + 1] = {method = method, factor = factor, setting = tolerance,
          solver = M.solver(s, method, tolerance)}
      end
    end
  end
  return list
end

-- Number of steps and solver options for a factor of the steps; a key that tells equal ones.
local function fixed_test(s, method, factor)
  if s.test_rule == "steps" then
    local steps = math.max(1, math.floor(factor * s.steps + 0.5))
    return steps, M.solver(s, method, steps), steps
  end
  local solver, h = M.solver(s, method), math.min(1, 1 / (factor * s.steps))
  solver.step_size = h
  return math.ceil(1 / h - 1e-9), solver, h
end

--- Solvers to test with (section 4.1): trained with Euler, Euler, midpoint and rk4; else the same method; at
-- M.factors times the steps, or other tolerances. A list of {method =, factor =, setting =, solver =}; the
-- training's own is the first, factors that rounding makes equal appear once.
function M.tests(s)
  if s.tolerance then return tolerance_tests(s) end
  local list = {}
  for _, method in ipairs(s.method == "euler" and {"euler", "midpoint", "rk4"} or {s.method}) do
    local seen = {}
    for _, factor in ipairs{1, table.unpack(M.factors)} do
      local steps, solver, key = fixed_test(s, method, factor)
      if not seen[key] then
        seen[key] = true
        list[#list + 1] = {method = method, factor = factor, setting = steps, solver = solver}
      end
    end
  end
  return list
end

return M
