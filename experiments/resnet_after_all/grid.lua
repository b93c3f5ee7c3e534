--- Grids of *ResNet After All?* (sections 4 and 4.1; figures 3, 4, 7 to 21): every training solver with every
-- seed, each tested with many solvers.
--
-- Runs cell.lua once per cell, each a process with one thread, on all cores. A cell leaves one CSV file;
-- those that are there already, made with the same settings, are not run again: after Ctrl-C, a kill or a
-- crash the same command goes on. At the end all cells are collected into seeds.csv (every seed, also those
-- that failed) and grid.csv (mean and standard deviation over the seeds that trained).

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local experiment, files, jobs = require "tide.experiment", require "tide.files", require "tide.jobs"
local models, collect = dofile(here .. "/models.lua"), dofile(here .. "/collect.lua")

local o = experiment.parse("Train with many solvers and seeds, test with many solvers", {
  {"data", "spheres2", "one or more of " .. table.concat(models.names, ",")},
  {"preset", "as-stated", table.concat(models.presets, " or ")},
  {"methods", "euler,rk4", "solvers of the training: euler, midpoint, rk4, fehlberg21, dopri5"},
  {"settings", "1,2,4,8,16,32,64,128,256", "their steps, or tolerances of adaptive ones"},
  {"seeds", 5, "seeds 1 to this"},
  {"data-seed", 1, "of the points"}, {"iterations", 0, "0: the preset's"},
  {"train", 0, "training points; 0: the preset's"},
  {"test", 0, "test points; 0: the preset's"}, {"parallel", tide.threads(), "cells at a time"},
  {"threads", 1, "threads of each"},
  {"models", false, "also save the weights, for validity.lua"},
  {"collect", false, "run nothing, collect what is there"},
  {"out", "runs/resnet_after_all/grid", "output folder"},
}, arg)
local cells = experiment.folder(experiment.folder(o.out) .. "/cells")

local function words(text)
  local list = {}
  for word in text:gmatch("[^,%s]+") do list[#list + 1] = word end
  return list
end

-- Cells by seed, so that every setting has a first result early; the dear ones of a seed first, so that none
-- is left alone at the end.
local plan = {}
for seed = 1, o.seeds do
  local row = {}
  for _, data in ipairs(words(o.data)) do
    for _, method in ipairs(words(o.methods)) do
      for _, setting in ipairs(words(o.settings)) do
        local s = models.settings{data = data, preset = o.preset, method = method,
          setting = tonumber(setting), seed = seed, data_seed = o["data-seed"],
          iterations = o.iterations, train = o.train, test = o.test}
        local name = ("%s-%s-%s-%s-seed%d"):format(data, o.preset, method, setting, seed)
        local path = ("%s/%s.csv"):format(cells, name)
        local weights = ("%s/%s.safetensors"):format(cells, name)
        local command = {"env", "TIDE_QUIET=1", "TIDE_THREADS=" .. o.threads, arg[-1] or "tide", here
          .. "/cell.lua", "--data", data, "--preset", o.preset,
          "--method", method, "--setting", setting, "--seed", seed, "--data-seed", o["data-seed"],
          "--iterations", o.iterations, "--train", o.train,
          "--test", o.test, "--out", path}
        if o.models then table.move({"--model", weights}, 1, 2, #command + 1, command) end
        row[#row + 1] = {s = s, name = name, path = path, weights = o.models and weights or nil,
          cost = models.cost(s), command = command}
      end
    end
  end
  table.sort(row, function(a, b) return a.cost > b.cost or a.cost == b.cost and a.name < b.name end)
  table.move(row, 1, #row, #plan + 1, plan)
end

-- A cell is done when its file was made with these settings.
local function read(cell)
  if not files.exists(cell.path) or cell.weights and not files.exists(cell.weights) then return nil end
  local result = tide.csv.read(cell.path)
  for _, comment in ipairs(result.comments) do
    if comment == "config: " .. models.config(cell.s) then return result end
  end
end

local missing = {}
for _, cell in ipairs(plan) do if not read(cell) then missing[#missing + 1] = cell end end
print(("%d cells, %d of them done"):format(#plan, #plan - #missing))
local failures = o.collect and {} or jobs.run(missing, {parallel = o.parallel, label = "grid"})

local rows, names, commits = collect.rows(plan, read)
local comments = experiment.provenance(arg)
comments[2] = ("commit: cells %s, collected %s"):format(commits, comments[2]:sub(9))
local without = 0
for _, cell in ipairs(plan) do without = without + (read(cell) and 0 or 1) end
comments[#comments + 1] = ("%d of %d cells have no result"):format(without, #plan)
tide.csv.write(o.out .. "/seeds.csv", names, rows, {comments = comments, digits = 6})
tide.csv.write(o.out .. "/grid.csv", collect.columns, collect.summary(rows),
  {comments = comments, digits = 6})

local verdicts = collect.verdicts(rows, models.finer)
table.sort(verdicts, function(a, b)
  if a.data ~= b.data then return a.data < b.data end
  if a.method ~= b.method then return a.method < b.method end
  return a.setting < b.setting
end)
local function percent(v) return v == v and ("%.1f %%"):format(100 * v) or "-" end
local header, lines = {"data", "method", "setting", "seeds", "failed", "accuracy", "worst finer solver",
  "ODE?"}, {}
for i, v in ipairs(verdicts) do
  lines[i] = {v.data, v.method, v.setting, v.seeds, v.failed, percent(v.accuracy), percent(v.worst),
    ("%d of %d"):format(v.valid, v.seeds)}
end
experiment.print_table(header, lines)
print(("\nODE?: seeds for which no solver at least as fine changes the accuracy by more than 0.1\ntables: "
  .. "%s/grid.csv, seeds.csv"):format(o.out))
if #failures > 0 then os.exit(1) end
