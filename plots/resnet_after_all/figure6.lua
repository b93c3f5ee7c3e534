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

return common.main("figure6", function(results)
  local data = common.read(results, "adaption/traces.csv", {"data", "rule", "seed", "iteration", "steps",
    "accuracy", "accuracy_midpoint", "accuracy_rk4"})
  if not data then return nil end
  local panels, steps = {columns = #rules, legend = "shared", note = table.concat(data.comments, "\n")}, {}
  for i, rule in ipairs(rules) do
    local rows = common.rows(data, function(r)
      return r.data == "spheres2" and r.rule == rule[1] and r.seed == 1
    end)
    if #rows == 0 then return nil end
    local x = common.thousands(rows, "iteration")
    local fig = plot.figure{title = ("(%s) %s"):format(("ab"):sub(i, i), rule[2]),
      xlabel = "iteration / 1000", ylabel = "test accuracy", yrange = {0,
      1}, ratio = 0.6}
    fig:add("line", {x = x, y = common.column(rows, "accuracy"), color = "blue",
      name = "training solver (Euler)"})
    fig:add("scatter", {x = thin(x, 3), y = thin(common.column(rows, "accuracy_midpoint"), 3),
      color = "vermillion", marker = "cross",
      name = "midpoint, as many steps"})
    fig:add("scatter", {x = thin(x, 3), y = thin(common.column(rows, "accuracy_rk4"), 3), color = "green",
      marker = "triangle",
      name = "rk4, as many steps", size = 0.8})
    panels[i] = fig
    steps[i] = plot.line{title = ("(%s) Steps, %s"):format(("cd"):sub(i, i), rule[2]), x = x,
      y = common.column(rows, "steps"), color = "black",
      dash = 1, xlabel = "iteration / 1000",
      ylabel = "Euler steps", ylog = true, ratio = 0.6}
  end
  for i = 1, #steps do panels[#rules + i] = steps[i] end
  return plot.panels(panels)
end, ...)
