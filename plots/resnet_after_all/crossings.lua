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

-- Mean and range of a quantity over the seeds, for each number of steps.
local function curve(data, value)
  local out = {x = {}, y = {}, low = {}, high = {}}
  for k, group in ipairs(common.split(data, "setting")) do
    out.x[k], out.y[k], out.low[k], out.high[k] = group.key.setting, 0, math.huge, -math.huge
    for _, row in ipairs(group:records()) do
      local v = value(row)
      out.y[k] = out.y[k] + v / group.rows
      out.low[k], out.high[k] = math.min(out.low[k], v), math.max(out.high[k], v)
    end
  end
  return out
end

return function(source)
  local panels = {columns = 2, legend = "shared", title = common.scale_of(source, "spheres2") .. "\n"
    .. common.scale_of(source, "landscape") .. "\nmean and range of the seeds"}
  for i, q in ipairs(quantities) do
    panels[i] = plot.figure{title = q.title, xlabel = "Euler steps of the training", ylabel = q.ylabel,
      xlog = true, ylog = q.log, yrange = q.yrange, ratio = 0.7,
      xticks = {{2, "2"}, {8, "8"}, {64, "64"}, {256, "256"}}}
    for _, set in ipairs(sets) do
      local data = common.read(source, ("validity/%s-%s.csv"):format(q.file or "crossings", set[1]),
        {"setting", "seed"})
      local c = curve(data, q.value)
      panels[i]:add("line", {x = c.x, y = c.y, low = c.low, high = c.high, name = common.titles[set[1]],
        color = set[2], marker = set[3], dash = set[4]})
      panels.note = common.note(data)
    end
  end
  return plot.panels(panels)
end
