-- Why coarse models are no flows: steep crossings of paths, steps that turn space inside out, and h times a
-- Lipschitz estimate of the field, against the number of Euler steps of the training; means and ranges over
-- the seeds. Not in the paper.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local quantities = {
  {title = "Points on steep crossings", ylabel = "share of the points",
    value = function(r) return r.share end, yrange = {0, 1}},
  {title = "det of a step <= 0", ylabel = "share of the steps",
    value = function(r) return r.negative / r.steps_checked end, yrange = {0, 1}},
  {title = "h L along the paths", ylabel = "h L", value = function(r) return r.h_lipschitz end, log = true},
  {title = "Labels that finer solvers change", ylabel = "share of the labels", file = "critical",
    value = function(r) return r.worst end, yrange = {0, 1}},
}
local sets = {{"spheres2", "blue", "circle", 1}, {"landscape", "vermillion", "square", {12, 4}}}

return common.main("crossings", function(results)
  local panels = {columns = 2, legend = "shared"}
  for i, q in ipairs(quantities) do
    panels[i] = plot.figure{title = q.title, xlabel = "Euler steps of the training", ylabel = q.ylabel,
      xlog = true, ylog = q.log, yrange = q.yrange,
      ratio = 0.7,
      xticks = {{2, "2"}, {8, "8"}, {64, "64"}, {256, "256"}}}
    for _, set in ipairs(sets) do
      local data = common.read(results, ("validity/%s-%s.csv"):format(q.file or "crossings", set[1]),
        {"setting", "seed"})
      if not data then return nil end
      local x, y, low, high = {}, {}, {}, {}
      for k, group in ipairs(common.split(common.rows(data), "setting")) do
        x[k], y[k], low[k], high[k] = group.key, 0, math.huge, -math.huge
        for _, row in ipairs(group) do
          local v = q.value(row)
          y[k], low[k], high[k] = y[k] + v / #group, math.min(low[k], v), math.max(high[k], v)
        end
      end
      panels[i]:add("line", {x = x, y = y, low = low, high = high, name = common.titles[set[1]],
        color = set[2], marker = set[3], dash = set[4]})
      panels.note = table.concat(data.comments, "\n")
    end
  end
  return plot.panels(panels)
end, ...)
