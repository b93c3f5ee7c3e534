--- One training of *ResNet After All?* with step or tolerance adaption (section 5, appendix B.6; figures 5
-- and 6, table 1).
--
-- Writes two CSV files, complete or not at all: OUT, a row per record with test accuracies by the training's
-- solver, by finer ones and by a tight reference solve; and OUT with -probes before .csv, a row per look that
-- the adaption took: the value (step size, number of steps, or tolerance) before and after it, the accuracies
-- it compared, what it cost. A training that was killed goes on from a checkpoint beside them.

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local models = dofile(here .. "/models.lua")

local o, s, train_data, test_data, model = models.start("Train with an adaption of the solver", {
  {"data", "spheres2", table.concat(models.names, ", ")},
  {"rule", "pairs", "steps: stated, published, steady, pairs; tolerances: published, corrected"},
  {"method", "euler", "euler, midpoint, rk4; fehlberg21, dopri5"},
  {"seed", 1, "of weights and order of the batches"}, {"records", 100, "rows"},
  {"high", 0.0, "\"steady\": upper end of its band, the lower end is half of it; 0: the rule's"},
  {"target", 0.0, "\"pairs\": the distance of both solvers that it steers to; 0: the rule's"},
  {"window", 0, "\"pairs\": so many iterations are accepted or rejected together; 0: none"},
  {"penalty", -1.0, "\"pairs\": weight of the difference of both solvers; below 0: the rule's"},
  {"least", 0, "\"pairs\", \"steady\": the least number of steps; 0: the rule's"},
  {"out", "adapted.csv", "the file to write"},
}, models.adapted, arg)
local adaptive = not models.is_fixed(o.method)

-- Hairer's rule sees one batch that the training never meets again in this order, as in the authors' code.
local first = train_data.x:take(tide.randperm(#train_data.x, {seed = o.seed}):slice(1, 1, s.batch))
-- smallest_rtol is that of the committed tables; odeint itself takes 1.2e-6.
local adaption = adaptive and tide.tolerance_adaption.new{rule = o.rule, method = o.method,
  smallest_rtol = 1.3e-6}
  or tide.step_adaption.new{rule = o.rule, method = o.method, model = model, x = first,
    high = o.high > 0 and o.high or nil, low = o.high > 0 and o.high / 2 or nil,
    target = s.target, window = s.window, penalty = s.penalty, min_steps = s.least}
local reference = {method = "dopri5", rtol = 1e-5, atol = 1e-5}

-- A solve that blows up is no better than chance; that is a result.
local function predictions(solver)
  local ok, result = tide.attempt(function()
    local parts = {}
    for i = 1, #test_data.x, 1000 do
      parts[#parts + 1] = model(test_data.x:slice(1, i, math.min(i + 999, #test_data.x)),
        {solver = solver}):argmax(2)
    end
    return tide.cat(parts, 1)
  end)
  return ok and result or nil
end

local function right(p) return p and p:eq(test_data.y):to("float64"):mean():item() or 0 end

-- What a record adds to those of tide.train; it is kept in the history, and in the checkpoint of a training
-- that is killed.
local history = {}
local function record(r)
  local solver, last = adaption.current, history[#history - 1] or {evaluations = 0, iteration = 0}
  local steps = solver.steps or solver.step_size and math.ceil(1 / solver.step_size - 1e-9) or 0 / 0
  local own, exact = predictions(solver), predictions(reference)
  r.evaluations = last.evaluations + r.nfe_forward * (r.iteration - last.iteration)
  r.value, r.steps, r.nfe = solver.steps or solver.step_size or solver.atol, steps,
    (r.evaluations + adaption.nfe) / r.iteration
  r.test, r.test_reference = right(own), right(exact)
  r.test_midpoint = adaptive and 0 / 0 or right(predictions{method = "midpoint", steps = steps})
  r.test_rk4 = adaptive and 0 / 0 or right(predictions{method = "rk4", steps = steps})
  r.flips = own and exact and own:ne(exact):to("float64"):mean():item() or 1
end

local unfinished = models.unfinished(o.out)
local ok, message = tide.attempt(models.train, s, model, train_data, {adaption = adaption, callback = record,
  record_every = math.max(1, s.iterations // o.records), history = history, checkpoint = unfinished,
  checkpoint_config = models.config(s),
  label = ("%s %s %s seed %d"):format(s.data, s.method, o.rule, s.seed)})
if not ok and message.status ~= "not_finite" then error(message, 0) end

local rows = {}
for i, r in ipairs(history) do
  rows[i] = {data = s.data, preset = s.preset, method = s.method, rule = o.rule, seed = s.seed,
    data_seed = s.data_seed, iteration = r.iteration, value = r.value, steps = r.steps,
    loss = r.loss, train_accuracy = r.accuracy, accuracy = r.test, accuracy_midpoint = r.test_midpoint,
    accuracy_rk4 = r.test_rk4,
    accuracy_reference = r.test_reference, flips = r.flips, nfe = r.nfe, seconds = r.seconds}
end

local comments = models.comments(s, arg, not ok and message or nil)
-- "pairs" looks every five iterations: the looks that changed something, with the first and the last.
local probes, looks = {}, adaption.history
for i, p in ipairs(looks) do
  if o.rule ~= "pairs" or p.next ~= p.value or i == 1 or i == #looks then
    probes[#probes + 1] = {data = s.data, preset = s.preset, method = s.method, rule = o.rule, seed = s.seed,
      data_seed = s.data_seed, iteration = p.iteration, value = p.value, next = p.next, train = p.train,
      test = p.test or 0, distance = p.distance, nfe = p.nfe}
  end
end
tide.csv.write(o.out:gsub("%.csv$", "") .. "-probes.csv", {"data", "preset", "method", "rule", "seed",
  "data_seed", "iteration", "value", "next", "train", "test", "distance", "nfe"}, probes,
  {comments = comments, digits = 6})
tide.csv.write(o.out, {"data", "preset", "method", "rule", "seed", "data_seed", "iteration", "value", "steps",
  "loss", "train_accuracy", "accuracy", "accuracy_midpoint", "accuracy_rk4", "accuracy_reference", "flips",
  "nfe", "seconds"}, rows, {comments = comments, digits = 6})
os.remove(unfinished)

local last = rows[#rows]
print(last and ("%s, %s, seed %d: accuracy %.1f %%, with a tight solver %.1f %%, %.1f evaluations per "
  .. "iteration, %g steps at the end"):format(s.data,
  o.rule, s.seed,
  100 * last.accuracy, 100 * last.accuracy_reference, last.nfe, last.steps) or "failed: "
  .. tostring(message))
print("tables: " .. o.out .. ", ...-probes.csv")
