-- What the toy figures of *Augmented Neural ODEs* share; figures.lua lists them. Each is drawn from the CSV
-- that experiments/anode/toy.lua and toy_shapes.lua have left.

local csv = require "tide.csv"
local plot = require "tide.plot"

local M = {}

local looks = {ResNet = 1, NODE = 2, ANODE = 3, ["ResNet-linear"] = 4}
local names = {["ResNet-linear"] = "ResNet, branch without last ReLU"}
M.titles = {spheres1 = "g(x), d = 1", spheres2 = "g(x), d = 2", sines = "separable data"}
M.classes = {{value = -1, name = "label −1", color = "blue"},
  {value = 1, name = "label 1", color = "vermillion"}}

--- A table of the results, its rows for which keep is true.
function M.read(source, name, keep)
  local data = csv.read(source:path("toy/" .. name .. ".csv"))
  return keep and data:where(keep) or data
end

local function note(...)
  local out = {}
  for i, data in ipairs{...} do out[i] = table.concat(data.comments, "\n") end
  return table.concat(out, "\n")
end

local function seeds_of(data)
  local seen, n = {}, 0
  for _, seed in ipairs(data:column("seed")) do
    if not seen[seed] then seen[seed], n = true, n + 1 end
  end
  return n
end

--- "20 seeds, 3000 points, 50 epochs, smooth L1 loss": the scale that stands on each picture.
function M.scale(data)
  local last = 0
  for _, epoch in ipairs(data:column("epoch")) do last = math.max(last, epoch) end
  return ("%d seeds, 3000 points, %d epochs, smooth L1 loss"):format(seeds_of(data), last)
end

local function wanted(models, task)
  local keep = {}
  for _, name in ipairs(models) do keep[name] = true end
  return function(r) return keep[r.model] and r.task == task end
end

--- Bands of a column over epochs for one task: mean and deviation, or median and 10 to 90 %.
function M.band(data, models, task, column, axes, stat)
  local fig = plot.figure(axes)
  for _, group in ipairs(plot.runs(data:where(wanted(models, task)), {x = "epoch", y = column})) do
    fig:add("band", {runs = group.runs, name = names[group.name] or group.name, style = looks[group.name],
      stat = stat})
  end
  return fig
end

--- Figures 5 and 20: above as the paper draws them, mean and deviation; below median and
-- 10 to 90 % on a logarithmic axis.
function M.losses(source, models, tasks)
  local data = M.read(source, "curves")
  local single = #tasks == 1
  local panels = {columns = single and 2 or #tasks, legend = "shared", note = note(data),
    width = single and 900 or 330 * #tasks,
    title = (single and "left: mean ± deviation, right: median and 10–90 %; "
      or "above: mean ± deviation, below: median and 10–90 %; ") .. M.scale(data)}
  for _, stat in ipairs{"mean", "median"} do
    for _, task in ipairs(tasks) do
      panels[#panels + 1] = M.band(data, models, task, "loss", {
        title = (single or stat == "mean") and M.titles[task] or nil, xlabel = "epoch",
        ylabel = "training loss", ylog = stat == "median", yrange = stat == "mean" and {0, 0.7} or nil,
        ratio = 0.75}, stat)
    end
  end
  return plot.panels(panels)
end

-- ---- flows ----

-- The plane that shows a flow best: over time on the line, the two coordinates of the data in the plane, one
-- of the data and one augmented.
local views = {
  time = {"t", "x", "time t", "h_1"}, plane = {"x", "y", "h_1", "h_2"}, lift = {"x", "a", "h_1", "augmented"},
}

local function view_of(task, model)
  if model == "ANODE" then return task == "sines" and views.plane or views.lift end
  return task == "spheres1" and views.time or views.plane
end

--- Paths of points through one trained flow.
function M.flow(flows, task, model)
  local rows = flows:where(function(r) return r.task == task and r.model == model end)
  local view = view_of(task, model)
  local fig = plot.figure{title = ("%s, %s"):format(model, M.titles[task]), xlabel = view[3],
    ylabel = view[4], ratio = 0.85, markup = true}
  fig:add("trajectories", {x = rows:column(view[1]), y = rows:column(view[2]), id = rows:column("point"),
    class = rows:column("class"), classes = M.classes, alpha = 0.8})
  return fig
end

local shapes_scale = "seed 1, 3000 points, 50 epochs; an augmented axis is the coordinate that is spread most"

--- Figures 1 and 25: a column per data set, NODE above ANODE.
function M.flows(source, tasks)
  local flows = M.read(source, "flows")
  local panels = {columns = #tasks, legend = "shared", note = note(flows), width = 380 * math.max(2, #tasks),
    title = shapes_scale}
  if #tasks == 1 then panels.columns = 2 end
  for _, model in ipairs{"NODE", "ANODE"} do
    for _, task in ipairs(tasks) do panels[#panels + 1] = M.flow(flows, task, model) end
  end
  return plot.panels(panels)
end

--- Figure 7: losses and flows, d = 1 above d = 2.
function M.losses_and_flows(source)
  local data, flows = M.read(source, "curves"), M.read(source, "flows")
  local panels = {columns = 3, legend = "shared", note = note(data, flows), width = 1000,
    title = ("losses: mean ± deviation, %s; flows: seed 1"):format(M.scale(data))}
  for _, task in ipairs{"spheres1", "spheres2"} do
    panels[#panels + 1] = M.band(data, {"NODE", "ANODE"}, task, "loss", {title = M.titles[task],
      xlabel = "epoch", ylabel = "training loss", yrange = {0, 0.7}, ratio = 0.85}, "mean")
    for _, model in ipairs{"NODE", "ANODE"} do panels[#panels + 1] = M.flow(flows, task, model) end
  end
  return plot.panels(panels)
end

-- ---- features over epochs ----

--- One frame: features of one epoch, with the evaluations of that solve.
function M.frame(features, task, model, epoch)
  local rows = features:where(function(r)
    return r.task == task and r.model == model and r.epoch == epoch
  end)
  local view = view_of(task, model)
  local fig = plot.figure{title = ("epoch %d, NFE %d"):format(epoch, rows:column("nfe")[1]), markup = true,
    xlabel = view[3], ylabel = view[4], ratio = 0.9}
  return fig:add("scatter", {x = rows:column(view[1]), y = rows:column(view[2]), class = rows:column("class"),
    classes = M.classes, size = 0.7})
end

--- Figures 6, 17: rows {task, model} of frames at these epochs.
function M.features(source, rows, epochs)
  local features = M.read(source, "features")
  local said = {}
  for i, row in ipairs(rows) do said[i] = ("%s on %s"):format(row[2], M.titles[row[1]]) end
  local panels = {columns = #epochs, legend = "shared", note = note(features), width = 250 * #epochs,
    title = table.concat(said, " above ") .. "; 240 of 3000 points, seed 1"}
  for _, row in ipairs(rows) do
    for _, epoch in ipairs(epochs) do
      panels[#panels + 1] = M.frame(features, row[1], row[2], epoch)
    end
  end
  return plot.panels(panels)
end

--- Figure 8: features of the ANODE, and evaluations of both models.
function M.features_and_nfe(source, epochs)
  local features, data = M.read(source, "features"), M.read(source, "curves")
  local panels = {columns = 3, legend = "shared", note = note(features, data), width = 900,
    title = ("frames: ANODE on g(x), d = 2, seed 1; NFE: mean ± deviation, %s"):format(M.scale(data))}
  for i, epoch in ipairs(epochs) do panels[i] = M.frame(features, "spheres2", "ANODE", epoch) end
  for _, task in ipairs{"spheres1", "spheres2"} do
    panels[#panels + 1] = M.band(data, {"NODE", "ANODE"}, task, "nfe_forward", {title = M.titles[task],
      xlabel = "epoch", ylabel = "NFE of a forward solve", ratio = 0.9}, "mean")
  end
  return plot.panels(panels)
end

-- ---- generalisation ----

local function map_panel(map, model)
  local rows = map:where(function(r) return r.model == model end):sorted("y", "x")
  local z = {}
  for _, line in ipairs(rows:group("y")) do
    local values = line:column("value")
    for i, v in ipairs(values) do values[i] = math.max(-2, math.min(2, v)) end
    z[#z + 1] = values
  end
  return plot.figure{title = ("%s, prediction (training loss %.0e)"):format(model, rows:column("loss")[1]),
    xlabel = "x_1", ylabel = "x_2", markup = true, ratio = "equal"}
    :add("image", {z = z, x = {-2, 2}, y = {-2, 2}, palette = "diverging", range = {-2, 2}})
    :add("line", M.circle(0.5)):add("line", M.circle(1)):add("line", M.circle(1.5))
end

function M.circle(r)
  local x, y = {}, {}
  for i = 0, 72 do x[i + 1], y[i + 1] = r * math.cos(i * math.pi / 36), r * math.sin(i * math.pi / 36) end
  return {x = x, y = y, color = "black", linewidth = 0.8, dash = {4, 3}}
end

local function generalisation_panel(data, model)
  local rows = data:where(function(r) return r.model == model end)
  local fig = plot.figure{title = model .. ", a slice left out", xlabel = "epoch", ylabel = "loss",
    ylog = true, ratio = 0.85}
  for i, column in ipairs{"loss", "validation"} do
    fig:add("band", {runs = plot.runs(rows, {x = "epoch", y = column})[1].runs, style = i + 4,
      name = i == 1 and "training" or "validation: angle in [0, π/5]"})
  end
  return fig
end

--- Figure 9: maps of [-2, 2]^2, and losses where the slice of angles in [0, pi/5] is left out.
function M.generalisation(source)
  local map, data = M.read(source, "map"), M.read(source, "slices")
  return plot.panels{map_panel(map, "NODE"), map_panel(map, "ANODE"), generalisation_panel(data, "NODE"),
    generalisation_panel(data, "ANODE"), columns = 2, legend = "shared", width = 900, note = note(map, data),
    title = "maps: seed 1, cut at ±2, radii 0.5, 1, 1.5; losses: median, 10–90 %, " .. M.scale(data)}
end

return M
