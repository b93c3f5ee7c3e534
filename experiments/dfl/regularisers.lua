--- Do regularisers move the critical step? Models of *ResNet After All?* trained with few Euler steps and
-- with an adaptive solver, with and without each regulariser of nn.odeblock.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local stats = require "tide.base.stats"

-- A regulariser, its options, and how it is called in the table.
local kinds = {
  {"none", "", {}},
  {"kinetic", "0.1", {kinetic = 0.1}}, {"kinetic", "1", {kinetic = 1}},
  {"jacobian", "0.01", {jacobian = 0.01}}, {"jacobian", "0.1", {jacobian = 0.1}},
  {"derivative 2", "0.001", {derivative = 0.001, order = 2}},
  {"derivative 2", "0.1", {derivative = 0.1, order = 2}},
  {"end time", "0.25", {end_time = 0.25}}, {"end time", "0.5", {end_time = 0.5}},
}

local function data_of(o, n, seed)
  return tide.data[o.data](o.data == "landscape" and {n = n, seed = seed} or {dim = 2, n = n, seed = seed})
end

local function copied(options)
  local out = {}
  for k, v in pairs(options) do out[k] = v end
  return out
end

local function model_of(o, solver, regularise, seed)
  solver.regularise = copied(regularise)
  return tide.nn.odenet{dim = 2, out = o.data == "landscape" and 3 or 2, hidden = 48, time = false,
    init = "kaiming", seed = seed, solver = solver}
end

-- One training and what is asked of it.
local function run(o, solver, kind, seed, train, test)
  local model = model_of(o, copied(solver), kind[3], seed)
  local history = tide.train{model = model, data = train, loss = "cross_entropy", batch = 128,
    optimizer = tide.optim.adam(model, {lr = o.lr}), iterations = o.iterations, seed = seed, quiet = true}
  local fine = tide.evaluate(model, test, {solver = {method = "dopri5", rtol = 1e-4, atol = 1e-4}})
  local own = tide.evaluate(model, test)
  local report = tide.ode.validity{model = model, data = test, critical = false}
  local euler = tide.ode.validity{model = model, data = test, solver = {method = "euler", steps = o.steps}}
  return {loss = history[#history].loss, accuracy = own.accuracy, flow_accuracy = fine.accuracy,
    nfe = own.nfe, flow_nfe = fine.nfe, valid = report.valid, change = report.worst,
    critical = euler.critical or 0 / 0}
end

local columns = {"loss", "accuracy", "flow_accuracy", "nfe", "flow_nfe", "valid", "change", "critical"}
local formats = {"%.3f", "%.3f", "%.3f", "%.0f", "%.0f", "%.1f", "%.3f", "%.0f"}

-- A line of the table for each solver and regulariser: means over the seeds, of what is a number.
local function lines_of(rows)
  local lines, lists = {}, {}
  for _, r in ipairs(rows) do
    local key = table.concat({r.solver, r.regulariser, r.weight}, " ")
    if not lists[key] then
      lists[key] = {}
      lines[#lines + 1] = {r.solver, r.regulariser, r.weight, key = key}
    end
    for _, name in ipairs(columns) do
      lists[key][name] = lists[key][name] or {}
      if r[name] == r[name] then table.insert(lists[key][name], r[name]) end
    end
  end
  for _, line in ipairs(lines) do
    for c, name in ipairs(columns) do
      local list = lists[line.key][name]
      line[#line + 1] = #list > 0 and formats[c]:format((stats.mean_deviation(list))) or "-"
    end
  end
  return lines
end

-- The same; a training that leaves the numbers is a row without them.
local function row_of(report, o, solver, kind, seed, train, test)
  local finished, r = tide.attempt(run, o, solver[2], kind, seed, train, test)
  if not finished then
    report:say("%s, %s %s, seed %d: %s", solver[1], kind[1], kind[2], seed, r.message)
    r = {}
    for _, name in ipairs(columns) do r[name] = 0 / 0 end
  end
  r.data, r.solver, r.regulariser, r.weight, r.seed = o.data, solver[1], kind[1], kind[2], seed
  return r
end

-- All regularisers with one seed, then with the next; the file has what is done so far.
local function evidence(o, report)
  local train, test, rows = data_of(o, 2000, 2), data_of(o, 1000, 3), {}
  local solvers = {{"euler", {method = "euler", steps = o.steps}},
    {"dopri5", {method = "dopri5", rtol = 1e-3, atol = 1e-3}}}
  for seed = 1, o.seeds do
    for _, solver in ipairs(solvers) do
      for i = 1, math.min(o.kinds, #kinds) do
        rows[#rows + 1] = row_of(report, o, solver, kinds[i], seed, train, test)
        report:csv("regularisers-" .. o.data,
          {"data", "solver", "regulariser", "weight", "seed", table.unpack(columns)}, rows)
      end
    end
  end
  report:say("%s, %d Euler steps or dopri5 with 1e-3, %d iterations, means of %d seeds; flow: by dopri5 with "
    .. "1e-4; change: of the labels by solvers at least as fine, the worst; critical: Euler steps from which "
    .. "on labels agree with the flow.", o.data, o.steps, o.iterations, o.seeds)
  report:table({"trained with", "regulariser", "weight", "loss", "accuracy", "of the flow", "NFE",
    "flow's NFE", "valid", "change", "critical"}, lines_of(rows))
end

dfl.run({name = "regularisers", title = "Regularisers: do they move the critical step?",
  options = {{"data", "three_spheres", "or landscape"}, {"steps", 4, "Euler steps of the training"},
    {"iterations", 3000, "of each training"}, {"lr", 1e-3, "of Adam"},
    {"seeds", 3, "of weights and batches"}, {"kinds", 99, "how many of the regularisers, from the first on"}},
  claim = [[Fields that are regularised to be easy to solve (kinetic energy and Jacobian: Finlay et al. 2020;
    a higher derivative: Kelly et al. 2020; a random end: Ghosh et al. 2020) take fewer evaluations. If a
    model trained with few steps is no flow because its field is hard to solve, they should move the number of
    steps from which on it is one.]],
  slip = "Not an exercise; the question is that of ResNet After All (Ott et al. 2021).",
  evidence = evidence}, arg)
