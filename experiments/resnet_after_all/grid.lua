--- Grids of *ResNet After All?* (sections 4 and 4.1; figures 3, 4, 7 to 21): every training solver with every
-- seed, each tested with many solvers.
--
-- Runs cell.lua once per cell, each a process with one thread, on all cores. A cell leaves one CSV file;
-- those that are there already, made with the same settings, are not run again: after Ctrl-C, a kill or a
-- crash the same command goes on. At the end all cells are collected into seeds.csv (every seed, also those
-- that failed), grid.csv (mean and standard deviation over the seeds that trained) and verdicts.csv (which
-- are ODEs).

local here = arg[0]:match("^(.*)/") or "."
local experiment, sweep = require "tide.experiment", require "tide.sweep"
local models, collect = dofile(here .. "/models.lua"), dofile(here .. "/collect.lua")

local function describe(v, o)
  local s = models.from(v)
  return {name = models.name(s, v.setting), config = models.config(s), cost = models.cost(s),
    outputs = {out = ".csv", model = o.models and ".safetensors" or nil}}
end

-- By seed, so that every setting has a first result early.
local grid = sweep.run({title = "Train with many solvers and seeds, test with many solvers",
  script = here .. "/cell.lua", out = "runs/resnet_after_all/grid", describe = describe, label = "grid",
  longest_first = "seed", options = models.options,
  own = {{"models", false, "also save the weights, for validity.lua"}},
  axes = {
    models.seeds[1], models.seeds[2],
    {"data", "spheres2", "one or more of " .. table.concat(models.names, ",")},
    {"methods", "euler,rk4", "solvers of the training: euler, midpoint, rk4, fehlberg21, dopri5", "method"},
    {"settings", "1,2,4,8,16,32,64,128,256", "their steps, or tolerances of adaptive ones", "setting"},
  }}, arg)

local seeds = grid:table(".csv", models.scale)
local rows = seeds:records()
grid:write("seeds", seeds)
grid:write("grid", collect.columns, collect.summary(rows))

local verdicts = collect.verdicts(rows, models.finer)
table.sort(verdicts, function(a, b)
  for _, name in ipairs{"data", "method", "setting"} do
    if a[name] ~= b[name] then return a[name] < b[name] end
  end
  return a.data_seed < b.data_seed
end)
grid:write("verdicts", collect.verdict_columns, verdicts)
local function percent(v) return v == v and ("%.1f %%"):format(100 * v) or "-" end
local header, lines = {"data", "method", "setting", "data seed", "seeds", "failed", "accuracy",
  "worst finer solver", "ODE?"}, {}
for i, v in ipairs(verdicts) do
  lines[i] = {v.data, v.method, v.setting, v.data_seed, v.seeds, v.failed, percent(v.accuracy),
    percent(v.worst), ("%d of %d"):format(v.valid, v.seeds)}
end
experiment.print_table(header, lines)
print(("\nODE?: seeds for which no solver at least as fine changes the accuracy by more than 0.1\ntables: "
  .. "%s/grid.csv, seeds.csv, verdicts.csv"):format(grid.options.out))
grid:finish()
