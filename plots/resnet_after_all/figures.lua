-- The figures of *ResNet After All?*, from the committed results:
--
--   ./tide plots/resnet_after_all/figures.lua 3 7 table1 | all  [--out FOLDER] [--results FOLDER]
--
-- A row: number or name, drawing function, its arguments. A figure that needs code of its own has a file.

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local plot = require "tide.plot"
local common = dofile(here .. "common.lua")
local function own(name) return dofile(here .. name .. ".lua") end

local grids, seeds, tolerances = common.grids, common.seeds, common.tolerances
local both = {"euler", "rk4"}

-- Which script of the experiment makes a folder of the results, and with which options.
local made_by = {}
for _, row in ipairs{
  {"spheres2", "grid --data spheres2"}, {"spheres3", "grid --data spheres3"},
  {"spheres10", "grid --data spheres10 --settings 1,2,4,8,16,32 --seeds 3"},
  {"spheres900", "grid --data spheres900 --settings 1,2 --seeds 3 --test 500"},
  {"landscape", "grid --data landscape"},
  {"mnist", "grid --data mnist --filters 16 --methods euler --settings 1,2,4,8,16 --seeds 1 --test 2000"},
  {"cifar10", "grid --data cifar10 --filters 16 --methods euler --settings 1,2,4,8,16 --seeds 1 "
    .. "--train 10000 --iterations 1560 --test 2000"},
  {"tolerances", "grid --data spheres2 --methods dopri5,fehlberg21 --settings 1e-1,1e-2,1e-3,1e-4,1e-5 "
    .. "--seeds 3"},
  {"adaption", "adaption"},
  {"adaption-as-published", "adaption --preset as-published --rules published --seeds 3"},
  {"adaption-mnist", "adaption --data mnist --rules stated,steady --seeds 1 --iterations 234 --test 500 "
    .. "--records 3"},
  {"adaption-draws", "adaption --data spheres2 --rules stated,steady,pairs --data-seeds 2,3,4,5"},
  {"adaption-pairs-held", "adaption --rules pairs --data spheres2 --seeds 6..10"},
  {"adaption-held-draws", "adaption --data spheres2 --rules stated,steady,pairs --data-seeds 6,7"},
  {"adaption-windows", "adaption --rules pairs --data spheres2 --seeds 1,6 --data-seeds 1,3 --window 100"},
  {"datasets", "datasets"}, {"validity", "validity --data spheres2 (and landscape), after grid --models,"},
} do
  made_by[#made_by + 1] = {"^" .. row[1]:gsub("%-", "%%-") .. "/",
    ("./tide experiments/resnet_after_all/%s --out experiments/resnet_after_all/results/%s"):format(
      row[2]:gsub("^%l+", "%0.lua"), row[1])}
end

return plot.figures({
  {1, own "figure1", title = "paths and tests of a fine and a coarse model, spheres"},
  {2, own "figure2", title = "potential, landscape and spheres"},
  {3, grids, {"spheres2", "landscape"}, both, title = "test solvers: spheres and landscape"},
  {4, grids, {"mnist", "cifar10"}, both, title = "test solvers: MNIST and CIFAR-10"},
  {5, own "figure5", title = "step adaption: accuracy and steps over the training"},
  {6, own "figure6", title = "step adaption beside finer solvers, first seed"},
  {7, seeds, "spheres2", {1, 2, 4}, title = "all seeds, spheres, 1 to 4 steps"},
  {8, seeds, "spheres2", {8, 16, 32}, title = "all seeds, spheres, 8 to 32 steps"},
  {9, seeds, "spheres2", {64, 128, 256}, title = "all seeds, spheres, 64 to 256 steps"},
  {10, seeds, "landscape", {1, 2, 4}, title = "all seeds, landscape, 1 to 4 steps"},
  {11, seeds, "landscape", {8, 16, 32}, title = "all seeds, landscape, 8 to 32 steps"},
  {12, seeds, "landscape", {64, 128, 256}, title = "all seeds, landscape, 64 to 256 steps"},
  {13, seeds, "mnist", {1, 2, 4}, title = "all seeds, MNIST, 1 to 4 steps"},
  {14, seeds, "mnist", {8, 16, 32, 64}, title = "all seeds, MNIST, 8 to 64 steps"},
  {15, seeds, "cifar10", {1, 2, 4}, title = "all seeds, CIFAR-10, 1 to 4 steps"},
  {16, seeds, "cifar10", {8, 16, 32, 64}, title = "all seeds, CIFAR-10, 8 to 64 steps"},
  {17, grids, {"spheres3"}, both, title = "test solvers: spheres, 3 dimensions"},
  {18, grids, {"spheres10"}, both, title = "test solvers: spheres, 10 dimensions"},
  {19, grids, {"spheres900"}, both, title = "test solvers: spheres, 900 dimensions"},
  {20, tolerances, "fehlberg21", {"fehlberg21", "dopri5"}, title = "test tolerances, fehlberg21"},
  {21, tolerances, "dopri5", {"dopri5"}, title = "test tolerances, dopri5"},
  {22, own "figure22", title = "true and learned paths, landscape"},
  {"draws", own "draws", title = "what the draw of the data does (not in the paper)"},
  {"crossings", own "crossings", title = "why coarse models are no flows (not in the paper)"},
  {"table1", own "table1", title = "grid search and adaption, ours beside theirs"},
  results = "experiments/resnet_after_all/results", out = "runs/resnet_after_all/figures",
  made_by = made_by,
}, ...)
