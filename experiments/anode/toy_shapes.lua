--- What the toy models of *Augmented Neural ODEs* do with space (figures 1, 6 to 9, 17, 25): trains NODE and
-- ANODE on g(x) in one and two dimensions and on the separable data with one seed and writes
--   features.csv   where the flow takes points, before the training and after some epochs, with the
--                  evaluations of that solve
--   flows.csv      paths of points through the trained flow
--   map.csv        the prediction on a grid of [-2, 2]^2
-- x, y are the data's own coordinates, a is the augmented one that the trained flow spreads most.

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local experiment = require "tide.experiment"
local models = dofile(here .. "/toy_models.lua")

local o = experiment.parse("Features, flows and maps of the toy models", {
  {"seed", 1, "seed of weights and batches"}, {"epochs", 50, "epochs"}, {"points", 240, "points of a frame"},
  {"paths", 40, "paths of a flow"}, {"grid", 61, "cells of a side of the map"},
  {"out", "runs/anode/toy", "output folder"},
}, arg)
local out, comments = experiment.folder(o.out), experiment.provenance(arg)
local frames = {[0] = true}
for _, epoch in ipairs{2, 5, 10, 15, 20, 30, o.epochs} do frames[epoch] = true end

local nan = 0 / 0

-- Some points of the data: every so many, so that both classes keep their share.
local function some(data, n)
  local rows = {}
  for i = 1, n do rows[i] = 1 + (i - 1) * #data.x // n end
  local positions = tide.tensor(rows, {dtype = "int64"})
  return data.x:take(positions), data.y:take(positions):reshape{-1}:totable()
end

-- The augmented coordinate that these features spread most; nil when there is none.
local function spread(features, dim)
  local width = features:shape()[2]
  return width > dim and dim + features:slice(2, dim + 1, width):var(1):argmax():item() or nil
end

local function coordinates(row, dim, lifted)
  return row[1], dim > 1 and row[2] or nan, lifted and row[lifted] or nan
end

-- Train; returns model and frames {epoch =, nfe =, features =}.
local function train(s, data)
  local model, list = models.model(s), {}
  local x = some(data, o.points)
  local y = tide.zeros{#x, 1}
  local function frame(epoch)
    local nfe = tide.evaluate(model, {x = x, y = y}, {loss = "mse", batch = #x}).nfe
    list[#list + 1] = {epoch = epoch, nfe = nfe, features = model:features(x)}
  end
  frame(0)
  local history = models.train(s, model, data, function(r)
    local epoch = math.floor(r.epoch + 0.5)
    if frames[epoch] then frame(epoch) end
  end)
  return model, list, history[#history].loss
end

local function write_features(writer, s, dim, data, list, lifted)
  local _, class = some(data, o.points)
  for _, frame in ipairs(list) do
    for i, row in ipairs(frame.features:totable()) do
      local x, y, a = coordinates(row, dim, lifted)
      writer:row{task = s.task, model = s.model, epoch = frame.epoch, nfe = frame.nfe, class = class[i],
        x = x, y = y, a = a}
    end
  end
end

local function write_flows(writer, s, dim, data, model, lifted)
  local x, class = some(data, o.paths)
  local times = tide.linspace(0, 1, 16, {dtype = "float64"}):totable()
  local states = model:trajectory(x, times):totable()
  for point = 1, #class do
    for i, t in ipairs(times) do
      local first, second, a = coordinates(states[i][point], dim, lifted)
      writer:row{task = s.task, model = s.model, point = point, class = class[point], t = t, x = first,
        y = second, a = a}
    end
  end
end

local function write_map(writer, s, model, loss)
  local side, points = tide.linspace(-2, 2, o.grid):totable(), {}
  for _, y in ipairs(side) do
    for _, x in ipairs(side) do points[#points + 1] = {x, y} end
  end
  local values = model(tide.tensor(points)):reshape{-1}:totable()
  for i, p in ipairs(points) do
    writer:row{model = s.model, loss = loss, x = p[1], y = p[2], value = values[i]}
  end
end

local function open(name, columns)
  return tide.csv.writer(out .. "/" .. name, columns, {comments = comments, digits = 4})
end

local features <close> = open("features.csv", {"task", "model", "epoch", "nfe", "class", "x", "y", "a"})
local flows <close> = open("flows.csv", {"task", "model", "point", "class", "t", "x", "y", "a"})
local map <close> = open("map.csv", {"model", "loss", "x", "y", "value"})
local lines = {}
for _, task in ipairs(models.tasks) do
  for _, name in ipairs{"NODE", "ANODE"} do
    local s = models.settings{task = task, model = name, seed = o.seed, epochs = o.epochs}
    local data, dim = models.data(s), task == "spheres1" and 1 or 2
    local model, list, loss = train(s, data)
    local lifted = spread(list[#list].features, dim)
    if dim == 2 then write_features(features, s, dim, data, list, lifted) end
    write_flows(flows, s, dim, data, model, lifted)
    if task == "spheres2" then write_map(map, s, model, loss) end
    lines[#lines + 1] = {task, name, ("%.4f"):format(loss), ("%d -> %d"):format(list[1].nfe // 1,
      list[#list].nfe // 1), ("%.3f"):format(models.bend(model, (some(data, o.points))))}
  end
end
experiment.print_table({"data", "model", "loss", "NFE", "path over chord"}, lines)
print("\ntables: " .. out .. "/features.csv, flows.csv, map.csv")
