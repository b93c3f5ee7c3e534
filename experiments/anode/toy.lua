--- The toy experiments of *Augmented Neural ODEs* at full scale (sections 4 and 5.1; figures 5 to 9, 20;
-- appendix F.2.1).
--
--   ./tide experiments/anode/toy.lua --group curves     ResNet, NODE, ANODE on g(x), d = 1, 2, and separable
--   ./tide experiments/anode/toy.lua --group slices     the slice of angles in [0, pi/5] left out
--   ./tide experiments/anode/toy.lua --group softplus   softplus in place of ReLU
--   ./tide experiments/anode/toy.lua --group search     84 settings x 3 folds x 2 dimensions
--
-- A training is a process that leaves one CSV file; the same command goes on after Ctrl-C or a crash
-- (tide.sweep). Then all are collected: a row per epoch (GROUP.csv), or per training (search.csv, and
-- search-best.csv with the best settings beside the paper's).

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local experiment, sweep = require "tide.experiment", require "tide.sweep"
local models = dofile(here .. "/toy_models.lua")

local function group_of(o)
  return models.groups[o.group] or experiment.usage_error(
    "--group is one of curves, slices, softplus, search; got " .. o.group)
end

local runs = sweep.run({title = "Toy experiments of Augmented Neural ODEs", script = here .. "/toy_cell.lua",
  out = "runs/anode/toy", unit = "trainings",
  own = {{"group", "curves", "curves, slices, softplus or search"},
    {"seeds", 20, "seeds 1 to this; not for search"}},
  cells = function(o) return group_of(o)(o.seeds) end,
  describe = function(s) return {name = models.name(s), config = models.config(s)} end}, arg)
local o = runs.options

-- ---- collect ----

local settings = {"task", "model", "seed"}
local measured = {"epoch", "loss", "validation", "nfe_forward", "nfe_backward", "bend"}
if o.group == "search" then
  settings = {"task", "model", "batch", "lr", "hidden", "layers", "augment", "fold"}
end

-- The last row alone for the search.
local rows = {}
for _, cell in ipairs(runs.cells) do
  local data = cell.state == "done" and cell.tables[".csv"]
  for i, record in ipairs(data and data:records() or {}) do
    if o.group ~= "search" or i == data.rows then
      local row = {}
      for _, name in ipairs(settings) do row[name] = cell.values[name] end
      for _, name in ipairs(measured) do row[name] = record[name] end
      rows[#rows + 1] = row
    end
  end
end
local names = table.move(measured, 1, #measured, #settings + 1, table.move(settings, 1, #settings, 1, {}))
local comments = runs:comments()
tide.csv.write(("%s/%s.csv"):format(o.out, o.group), names, rows, {comments = comments, digits = 5})
local tables = dofile(here .. "/toy_tables.lua")
if o.group == "search" then
  local best = tables.best(rows)
  tables.print_best(best)
  tide.csv.write(o.out .. "/search-best.csv", tables.columns, best, {comments = comments, digits = 4})
else
  tables.print_models(rows)
end
print(("table: %s/%s.csv"):format(o.out, o.group))
runs:finish()
