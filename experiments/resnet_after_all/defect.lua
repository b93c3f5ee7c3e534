--- Does stats.defect see that a model trained with coarse steps is no flow?
--
-- Trains with Euler's method and sets, at every 20th batch, the defect beside what it estimates: the loss by
-- a tight solver minus the training's own. Writes one CSV file, a row for each of these batches.

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local adaption = require "tide.adaption"
local models = dofile(here .. "/models.lua")

local o, s, train_data, _, model = models.start("The defect beside the change of the loss", {
  {"data", "spheres2", table.concat(models.names, ", ")}, {"method", "euler", "of the training"},
  {"setting", "8", "its number of steps"}, {"seed", 1, "of weights and order of the batches"},
  {"every", 20, "iterations between rows"}, {"out", "defect.csv", "the file to write"},
}, models.from, arg)

local rows, solver = {}, {method = s.method, steps = s.steps, defect = true}
local tight = {method = "rk4", steps = math.max(32, s.steps)}

-- Drives tide.train: always the same solver, and a look at some batches.
local watch = {solver = function() return solver end}
function watch.observe(_, iteration, m, x, y, prediction, _, _, defect)
  if iteration % o.every ~= 0 then return end
  local better = m(x, {solver = tight})
  local own = tide.cross_entropy(prediction, y):item()
  rows[#rows + 1] = {data = s.data, method = s.method, setting = s.steps, seed = s.seed,
    iteration = iteration, loss = own, defect = defect, change = tide.cross_entropy(better, y):item() - own,
    accuracy = adaption.accuracy(prediction, y), accuracy_tight = adaption.accuracy(better, y)}
end

models.train(s, model, train_data, {adaption = watch,
  label = ("defect %s %s %d seed %d"):format(s.data, s.method, s.steps, s.seed)})
tide.csv.write(o.out, {"data", "method", "setting", "seed", "iteration", "loss", "defect", "change",
  "accuracy", "accuracy_tight"}, rows, {comments = models.comments(s, arg), digits = 6})
print("table: " .. o.out)
