-- Figure 6: how step adaption behaves: (a) accuracy with the training solver, and at some moments with finer
-- ones; (b) the number of steps, with the same moments marked; spheres in the plane, one seed, as the paper
-- shows it for its rule, and for ours.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local rules = {{"stated", "Algorithm 1"}, {"steady", "ours (steady)"}, {"pairs", "ours (pairs)"}}
local EVERY = 6 -- records from moment to moment

local function moments(list)
  local out = {}
  for i = EVERY, #list, EVERY do out[#out + 1] = list[i] end
  return out
end

local function marks(fig, x, y, color, marker, name, size)
  fig:add("scatter", {x = x, y = y, color = color, marker = marker, name = name, size = size})
end

local function accuracies(rows, title)
  local x = rows:column("iteration", 1000)
  local fig = plot.figure{title = ("%s\n%s"):format(title, common.scale(rows)), xlabel = "iteration / 1000",
    ylabel = "test accuracy", yrange = {0, 1.02}, ratio = 0.6}
  fig:add("line", {x = x, y = rows:column("accuracy"), color = "blue", name = "training solver (Euler)"})
  local at = moments(x)
  marks(fig, at, moments(rows:column("accuracy_rk4")), "green", "triangle", "rk4, as many steps", 1.3)
  marks(fig, at, moments(rows:column("accuracy_midpoint")), "vermillion", "cross", "midpoint, as many steps",
    1.3)
  return fig
end

local function steps(rows, title)
  local x, y = rows:column("iteration", 1000), rows:column("steps")
  local fig = plot.figure{title = title, xlabel = "iteration / 1000", ylabel = "Euler steps", ylog = true,
    yrange = {1, 256}, yticks = {{1, "1"}, {4, "4"}, {16, "16"}, {64, "64"}, {256, "256"}}, ratio = 0.6}
  fig:add("line", {x = x, y = y, color = "black", dash = 1})
  marks(fig, moments(x), moments(y), "vermillion", "circle", "moments of the tests above", 1)
  return fig
end

return function(source)
  local data = common.read(source, "adaption/traces.csv", {"data", "rule", "seed", "iteration", "steps",
    "accuracy", "accuracy_midpoint", "accuracy_rk4"})
  local shown = {}
  for _, rule in ipairs(rules) do
    local rows = data:where(function(r)
      return r.data == "spheres2" and r.rule == rule[1] and r.seed == 1 and (r.data_seed or 1) == 1
    end)
    if rows.rows > 0 then shown[#shown + 1] = {rows = rows, name = rule[2]} end
  end
  local panels = {columns = #shown, legend = "shared", note = common.note(data)}
  for i, item in ipairs(shown) do
    panels[i] = accuracies(item.rows, "(a) " .. item.name)
    panels[#shown + i] = steps(item.rows, "(b) " .. item.name)
  end
  return plot.panels(panels)
end
