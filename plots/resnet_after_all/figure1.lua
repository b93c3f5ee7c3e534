-- Figure 1: spheres in the plane, trained with many and with few Euler steps: paths (a, b; most leave the
-- frame), accuracy of tests with other numbers of steps (c, d).

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local classes = {{value = 1, name = "inner and outer sphere", color = "blue"},
  {value = 2, name = "middle sphere", color = "vermillion"}}
local shown = {256, 2}

return common.main("figure1", function(results)
  local flows = common.read(results, "validity/flows-spheres2.csv",
    {"setting", "seed", "point", "class", "t", "x", "y"})
  local tests = common.read(results, "validity/steps-spheres2.csv", {"setting", "seed", "steps", "accuracy"})
  if not flows or not tests then return nil end
  local panels = {columns = 2, legend = "shared", note = table.concat(flows.comments, "\n")}
  for i, steps in ipairs(shown) do
    local rows = common.rows(flows, function(r) return r.setting == steps and r.seed == 1 end)
    panels[i] = plot.figure{title = ("(%s) Paths, trained with %d Euler steps"):format(("ab"):sub(i, i),
      steps), markup = true, xlabel = "x_1", ylabel = "x_2",
      ratio = 1, xrange = {-1.5, 1.5},
      yrange = {-1.5, 1.5}}
    panels[i]:add("trajectories", {x = common.column(rows, "x"), y = common.column(rows, "y"),
      id = common.column(rows, "point"),
      class = common.column(rows, "class"), classes = classes, alpha = 0.8})
  end
  for i, steps in ipairs(shown) do
    local rows = common.rows(tests, function(r) return r.setting == steps end)
    local fig = plot.figure{title = ("(%s) Trained with %d steps, all seeds"):format(("cd"):sub(i, i), steps),
      xlabel = "Euler steps of the test",
      ylabel = "test accuracy",
      xlog = true, yrange = {0, 1}, xticks = {{1, "1"}, {4, "4"}, {16, "16"}, {64, "64"}, {256, "256"},
        {1024, "1024"}}, ratio = 0.75}
    for _, seed in ipairs(common.split(rows, "seed")) do
      fig:add("line", {x = common.column(seed, "steps"), y = common.column(seed, "accuracy"), color = "sky",
        marker = "circle", size = 0.8, linewidth = 1})
      for _, row in ipairs(seed) do
        if row.steps == steps then
          fig:add("scatter", {x = {row.steps}, y = {row.accuracy}, color = "blue", marker = "circle",
            size = 1.6})
        end
      end
    end
    fig:add("entry", {name = "steps of the training", color = "blue", marker = "circle", size = 1.6})
    panels[2 + i] = fig
  end
  return plot.panels(panels)
end, ...)
