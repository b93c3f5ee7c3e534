-- Table 1: evaluations and accuracy of the grid search and of the step adaption, ours beside the paper's;
-- prints it, and writes table1.csv, with the scale of the runs.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local csv = require "tide.csv"
local files = require "tide.files"

-- The paper's: NFE between two settings and best accuracy of the grid search; NFE and accuracy of its
-- adaption.
local paper = {spheres2 = {"65-129", "99.2 ± 0.8 %", "100.5", "98.9 ± 0.6 %"},
  landscape = {"33-65", "79.0 ± 2.6 %", "43.3", "76.5 ± 1.6 %"},
  mnist = {"9-16", "96.5 ± 0.2 %", "9.8", "95.6 ± 0.5 %"},
  cifar10 = {"17-33", "54.7 ± 0.3 %", "21.9", "55.0 ± 0.8 %"}}
local finer = {euler = 1, midpoint = 2, rk4 = 4}

-- Mean and deviation; of a single seed there is none.
local function percent(mean, deviation, seeds)
  return seeds > 1 and ("%.1f ± %.1f %%"):format(100 * mean, 100 * deviation)
    or ("%.1f %% (one seed)"):format(100 * mean)
end

-- From the seeds of a grid, trained with Euler: the two settings around the critical one, and the best
-- accuracy of those that are ODEs: no mean test accuracy of a solver at least as fine differs by more than
-- 0.1, as in Algorithm 1.
local function grid_search(data)
  local last_bad, first_good, best
  for _, group in ipairs(common.split(data:where(function(r) return r.method == "euler" end), "setting")) do
    local own, good
    for _, r in ipairs(group:records()) do
      if r.test_method == "euler" and r.factor == 1 then own = r end
    end
    good = own.accuracy == own.accuracy
    for _, r in ipairs(group:records()) do
      if finer[r.test_method] >= 1 and r.test_setting >= r.setting
        and not (math.abs(r.accuracy - own.accuracy) <= 0.1) then
        good = false
      end
    end
    if good then
      first_good = first_good or group.key.setting
      if not best or own.accuracy > best.accuracy then best = own end
    else
      last_bad, first_good, best = group.key.setting, nil, nil
    end
  end
  return (last_bad and last_bad .. "-" or "up to ") .. (first_good or "?"), best
    and percent(best.accuracy, best.accuracy_std, best.seeds) or "none"
end

local sets = {"spheres2", "landscape", "mnist", "cifar10"}
local rules = {"stated", "published", "steady", "pairs"}
local parts = {"_nfe", "_accuracy", "_tight", "_seeds"}

-- The preset that a rule is shown with: the rule of the published code with all habits of that code.
local function shown(summary)
  return (summary.rule == "published") == (summary.preset == "as-published") and summary.method == "euler"
end

-- What the adaption came to, into the row of a data set.
local function add_adaption(source, row, set)
  for _, rule in ipairs(rules) do
    for _, part in ipairs(parts) do row[rule .. part] = "-" end
  end
  for _, folder in ipairs{"adaption", "adaption-as-published", "adaption-mnist"} do
    local summary = common.read(source, folder .. "/summary.csv", {"data", "preset", "method", "rule",
      "iterations", "points", "nfe", "accuracy", "accuracy_std", "seeds", "reference_accuracy"})
    for _, s in ipairs(summary:records()) do
      if s.data == set and shown(s) then
        row[s.rule .. "_nfe"] = ("%.1f"):format(s.nfe)
        row[s.rule .. "_accuracy"] = percent(s.accuracy, s.accuracy_std, s.seeds)
        row[s.rule .. "_tight"] = ("%.1f %%"):format(100 * s.reference_accuracy)
        row[s.rule .. "_seeds"] = s.seeds
        row.adaption_iterations = s.iterations
      end
    end
  end
end

local function say(row)
  print(("%s\n  grid search    paper %-7s %-13s ours %-7s %s\n  adaption       paper %-7s %s"):format(
    row.data, row.paper_grid_nfe, row.paper_grid_accuracy, row.grid_nfe, row.grid_accuracy, row.paper_nfe,
    row.paper_accuracy))
  for _, rule in ipairs(rules) do
    if row[rule .. "_nfe"] ~= "-" then
      print(("    ours, %-9s      %-7s %s, with a tight solver %s"):format(rule, row[rule .. "_nfe"],
        row[rule .. "_accuracy"], row[rule .. "_tight"]))
    end
  end
end

return function(source)
  local rows = {}
  for i, set in ipairs(sets) do
    local grid = common.read(source, set .. "/grid.csv", {"method", "setting", "test_method", "factor",
      "test_setting", "accuracy", "accuracy_std", "seeds", "iterations", "points"})
    local row = {data = common.titles[set], paper_grid_nfe = paper[set][1],
      paper_grid_accuracy = paper[set][2], paper_nfe = paper[set][3], paper_accuracy = paper[set][4],
      points = grid:column("points")[1], grid_iterations = grid:column("iterations")[1],
      grid_seeds = math.max(table.unpack(grid:column("seeds"))), adaption_iterations = "-"}
    row.grid_nfe, row.grid_accuracy = grid_search(grid)
    add_adaption(source, row, set)
    rows[i] = row
    say(row)
  end
  local columns = {"data", "points", "paper_grid_nfe", "paper_grid_accuracy", "grid_iterations", "grid_seeds",
    "grid_nfe", "grid_accuracy", "paper_nfe", "paper_accuracy", "adaption_iterations"}
  for _, rule in ipairs(rules) do
    for _, part in ipairs(parts) do columns[#columns + 1] = rule .. part end
  end
  local path = files.join(source.out, "table1.csv")
  csv.write(path, columns, rows)
  return {path}
end
