-- Figure 6: how step adaption behaves: accuracy with the training solver and with finer ones, number of
-- steps; spheres in the plane, first seed.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local rules = {{"stated", "Algorithm 1"}, {"steady", "ours (steady)"}}

-- Every so many-th entry, so that markers stay apart.
local function thin(list, every)
  local out = {}
  for i = every, #list, every do out[#out + 1] = list[i] end
  return out
end

local function accuracies(rows, title)
  local x = rows:column("iteration", 1000)
  local fig = plot.figure{title = title, xlabel = "iteration / 1000", ylabel = "test accuracy",
    yrange = {0, 1}, ratio = 0.6}
  fig:add("line", {x = x, y = rows:column("accuracy"), color = "blue", name = "training solver (Euler)"})
  fig:add("scatter", {x = thin(x, 3), y = thin(rows:column("accuracy_midpoint"), 3), color = "vermillion",
    marker = "cross", name = "midpoint, as many steps"})
  return fig:add("scatter", {x = thin(x, 3), y = thin(rows:column("accuracy_rk4"), 3), color = "green",
    marker = "triangle", name = "rk4, as many steps", size = 0.8})
end

return function(source)
  local data = common.read(source, "adaption/traces.csv", {"data", "rule", "seed", "iteration", "steps",
    "accuracy", "accuracy_midpoint", "accuracy_rk4"})
  local panels = {columns = #rules, legend = "shared", note = common.note(data)}
  for i, rule in ipairs(rules) do
    local rows = data:where(function(r)
      return r.data == "spheres2" and r.rule == rule[1] and r.seed == 1
    end)
    panels[i] = accuracies(rows, ("(%s) %s"):format(("ab"):sub(i, i), rule[2]))
    panels[#rules + i] = plot.line{title = ("(%s) Steps, %s"):format(("cd"):sub(i, i), rule[2]),
      x = rows:column("iteration", 1000), y = rows:column("steps"), color = "black", dash = 1,
      xlabel = "iteration / 1000", ylabel = "Euler steps", ylog = true, ratio = 0.6}
  end
  return plot.panels(panels)
end
