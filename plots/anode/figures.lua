-- The figures of *Augmented Neural ODEs*, from the committed results:
--
--   ./tide plots/anode/figures.lua 3 9 | all  [--out FOLDER] [--results FOLDER]
--
-- A row: number or name, drawing function, its arguments.

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local plot = require "tide.plot"

local toy = dofile(here .. "toy.lua")
local diagrams = dofile(here .. "diagrams.lua")
local draw_flip1d = dofile(here .. "flip1d.lua")
local images = dofile(here .. "images.lua")
local draw = images.draw

local function flip1d(source, folder, title)
  return draw_flip1d(source:path(folder), source.out, source.name, title)
end

local flip_scale = "; seed 1, 500 points, 10 and 50 epochs of batches of 32"
local g, separable = {"spheres2", "NODE"}, {"sines", "NODE"}

return plot.figures({
  {1, toy.flows, {"spheres2"}, title = "flows of NODE and ANODE"},
  {2, diagrams.architecture, title = "diagram of the model"},
  {3, flip1d, "flip1d-mse", "mean squared error, as stated" .. flip_scale,
    title = "a flow on the line cannot swap two points"},
  {"figure3-published", flip1d, "flip1d", "smooth L1 loss, as published" .. flip_scale,
    title = "the same with the loss of the authors' code"},
  {4, diagrams.g, title = "diagram of g(x)"},
  {5, toy.losses, {"ResNet", "NODE"}, {"spheres1", "spheres2", "sines"}, title = "NODE and ResNet: losses"},
  {6, toy.features, {g}, {0, 5, 10, 15, 20, 50}, title = "features of the NODE over epochs, with NFE"},
  {7, toy.losses_and_flows, title = "NODE and ANODE: losses and flows"},
  {8, toy.features_and_nfe, {0, 2, 5, 50}, title = "features of the ANODE over epochs; NFE"},
  {9, toy.generalisation, title = "maps of [-2, 2]^2, validation losses"},
  {10, draw, 10, title = "losses and evaluations, several p: MNIST, CIFAR-10"},
  {11, draw, 11, title = "training accuracy against evaluations"},
  {12, draw, 12, title = "test accuracy and loss"},
  {13, draw, 13, title = "overfitting 1000 digits: loss and evaluations"},
  {14, draw, 14, title = "accuracy and loss on Tiny ImageNet, ten classes"},
  {15, diagrams.needed_map, title = "diagram of g(x) and of the features that it needs"},
  {16, diagrams.disk, title = "diagram of the proof"},
  {17, toy.features, {g, separable}, {0, 5, 10, 15, 20, 50}, title = "features on g(x) and separable data"},
  {18, draw, 18, title = "as 10, with equal counts of values"},
  {19, draw, 19, title = "with and without weight decay"},
  {20, toy.losses, {"ResNet", "ResNet-linear", "NODE", "ANODE"}, {"spheres2"},
    title = "all models on g(x), d = 2"},
  {21, draw, 21, title = "training accuracy"},
  {22, draw, 22, title = "test loss and accuracy, SVHN"},
  {23, draw, 23, title = "losses and evaluations, SVHN"},
  {24, draw, 24, title = "evaluations, loss and accuracy on Tiny ImageNet"},
  {25, toy.flows, {"sines", "spheres2"}, title = "flows on separable data and g(x)"},
  {"table1", images.table1, title = "test accuracies, ours beside theirs"},
  results = "experiments/anode/results", out = "runs/anode/figures",
  made_by = {
    {"^flip1d%-mse", "./tide experiments/anode/flip1d.lua --loss mse --out FOLDER"},
    {"^flip1d", "./tide experiments/anode/flip1d.lua --out FOLDER"},
    {"^toy/curves", "./tide experiments/anode/toy.lua --group curves"},
    {"^toy/slices", "./tide experiments/anode/toy.lua --group slices"},
    {"^images/svhn", "./tide experiments/anode/images.lua --data svhn, with files that are not here"},
    {"^images", "TIDE_DATA=FOLDER ./tide experiments/anode/images_runs.lua"},
    {"^toy/", "./tide experiments/anode/toy_shapes.lua"},
  },
}, ...)
