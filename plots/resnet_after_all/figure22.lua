-- Figure 22: paths in the energy landscape, (a) of the true motion (until t = 12), (b to f) of Neural ODEs
-- trained with 256 Euler steps from five seeds; some of these leave the frame.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local classes = {{value = 1, name = "class 1", color = "blue"},
  {value = 2, name = "class 2", color = "vermillion"}, {value = 3, name = "class 3", color = "green"}}

local function paths(rows, title, range)
  local fig = plot.figure{title = title, markup = true, xlabel = "x_1", ylabel = "x_2", ratio = 1,
    xrange = range, yrange = range}
  return fig:add("trajectories", {x = rows:column("x"), y = rows:column("y"), id = rows:column("point"),
    class = rows:column("class"), classes = classes, alpha = 0.7, linewidth = 1})
end

return function(source)
  local truth = common.read(source, "datasets/true_flow.csv", {"point", "class", "t", "x", "y"})
  local flows = common.read(source, "validity/flows-landscape.csv",
    {"setting", "seed", "point", "class", "t", "x", "y"})
  local panels = {paths(truth, "(a) True motion: position, velocity", {-2.5, 2.5}), columns = 3,
    legend = "shared", note = common.note(flows), title = common.scale_of(source, "landscape")}
  for i, seed in ipairs(common.split(flows:where(function(r) return r.setting == 256 end), "seed")) do
    panels[#panels + 1] = paths(seed, ("(%s) Learned, seed %d"):format(("bcdef"):sub(i, i), seed.key.seed),
      {-6, 6})
  end
  return plot.panels(panels)
end
