--- Step and tolerance adaption over data sets, rules and seeds (*ResNet After All?*, section 5, appendix B.6;
-- figures 5 and 6, table 1).
--
-- Runs adapted.lua once per training, on all cores; goes on where it was cut off, as grid.lua does. Collects
-- traces.csv (a row per record), probes.csv (a row per look), runs.csv (a row per training) and summary.csv
-- (a row per data set and rule, the lines of table 1).

local here = arg[0]:match("^(.*)/") or "."
local experiment, sweep = require "tide.experiment", require "tide.sweep"
local models, collect = dofile(here .. "/models.lua"), dofile(here .. "/collect.lua")

local function describe(v)
  local s = models.adapted(v)
  return {name = models.name(s, v.rule), config = models.config(s), cost = models.cost(s),
    files = {"-probes.csv"}}
end

local options = {{"method", "euler", "euler, midpoint, rk4; fehlberg21, dopri5"},
  {"records", 100, "rows per training"}, {"high", 0.0, "see adapted.lua"},
  {"target", 0.0, "see adapted.lua"}, {"window", 0, "see adapted.lua"}}
table.move(models.options, 1, #models.options, #options + 1, options)

local trainings = sweep.run({title = "Train with adaptions of the solver", script = here .. "/adapted.lua",
  out = "runs/resnet_after_all/adaption", describe = describe, unit = "trainings", label = "adaption",
  options = options,
  axes = {
    models.seeds[1], models.seeds[2],
    {"data", "spheres2,landscape", "one or more of " .. table.concat(models.names, ",")},
    {"rules", "stated,published,steady,pairs", "for tolerances: published,corrected", "rule"},
  }}, arg)

local traces = trainings:table(".csv", models.scale)
local probes = trainings:table("-probes.csv", models.scale)
local runs = collect.runs(traces:records(), probes:records())
local summary, columns = collect.adaptions(runs)
trainings:write("traces", traces)
trainings:write("probes", probes)
trainings:write("runs", collect.run_columns, runs)
trainings:write("summary", columns, summary)

local lines = {}
for i, s in ipairs(summary) do
  lines[i] = {s.data, s.rule, s.seeds, ("%.1f ± %.1f"):format(s.nfe, s.nfe_std),
    ("%.1f ± %.1f %%"):format(100 * s.accuracy, 100 * s.accuracy_std),
    ("%.1f %%"):format(100 * s.reference_accuracy), ("%.3f"):format(s.worst), ("%.1f"):format(s.invalid),
    ("%.4f"):format(s.var_log_h), ("%.1f"):format(s.restless)}
end
experiment.print_table({"data", "rule", "seeds", "NFE", "accuracy", "tight solver", "worst change",
  "records invalid", "var log h", "restless"}, lines)
print(("\nNFE: evaluations per iteration, looks included. worst change: largest difference of the test "
  .. "accuracies of training solver and tight solver\n"
  .. "among the %d records; invalid: how many differ by more than 0.1. var log h: variance of the log of the "
  .. "step in the second half;\nrestless: total variation of that log less its net change.\n"
  .. "tables: %s"):format(trainings.options.records, trainings.options.out))
trainings:finish()
