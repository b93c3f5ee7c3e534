-- Figure 1: spheres in the plane, trained with many and with few Euler steps: paths (a, b; most leave the
-- frame), accuracy of tests with other numbers of steps (c, d).

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local classes = {{value = 1, name = "inner and outer sphere", color = "blue"},
  {value = 2, name = "middle sphere", color = "vermillion"}}
local shown = {256, 2}

local function paths(flows, steps, letter)
  local rows = flows:where(function(r) return r.setting == steps and r.seed == 1 end)
  local fig = plot.figure{title = ("(%s) Paths, trained with %d Euler steps"):format(letter, steps),
    markup = true, xlabel = "x_1", ylabel = "x_2", ratio = 1, xrange = {-1.5, 1.5}, yrange = {-1.5, 1.5}}
  return fig:add("trajectories", {x = rows:column("x"), y = rows:column("y"), id = rows:column("point"),
    class = rows:column("class"), classes = classes, alpha = 0.8})
end

local function accuracies(tests, steps, letter)
  local fig = plot.figure{title = ("(%s) Trained with %d steps, all seeds"):format(letter, steps),
    xlabel = "Euler steps of the test", ylabel = "test accuracy", xlog = true, yrange = {0, 1}, ratio = 0.75,
    xticks = {{1, "1"}, {4, "4"}, {16, "16"}, {64, "64"}, {256, "256"}, {1024, "1024"}}}
  for _, seed in ipairs(common.split(tests:where(function(r) return r.setting == steps end), "seed")) do
    fig:add("line", {x = seed:column("steps"), y = seed:column("accuracy"), color = "sky", marker = "circle",
      size = 0.8, linewidth = 1})
    for _, row in ipairs(seed:records()) do
      if row.steps == steps then
        fig:add("scatter", {x = {row.steps}, y = {row.accuracy}, color = "blue", marker = "circle",
          size = 1.6})
      end
    end
  end
  return fig:add("entry", {name = "steps of the training", color = "blue", marker = "circle", size = 1.6})
end

return function(source)
  local flows = common.read(source, "validity/flows-spheres2.csv",
    {"setting", "seed", "point", "class", "t", "x", "y"})
  local tests = common.read(source, "validity/steps-spheres2.csv", {"setting", "seed", "steps", "accuracy"})
  local panels = {columns = 2, legend = "shared", note = common.note(flows),
    title = common.scale_of(source, "spheres2")}
  for i, steps in ipairs(shown) do
    panels[i] = paths(flows, steps, ("ab"):sub(i, i))
    panels[2 + i] = accuracies(tests, steps, ("cd"):sub(i, i))
  end
  return plot.panels(panels)
end
