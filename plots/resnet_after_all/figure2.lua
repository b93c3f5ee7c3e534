-- Figure 2: (a) the potential, (b) the class of each start (x, v), (c) the concentric spheres in the plane.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local classes = {{value = 1, name = "class 1", color = "blue"},
  {value = 2, name = "class 2", color = "vermillion"}, {value = 3, name = "class 3", color = "green"}}

local function points(data, x, y, options)
  options.ratio = "square"
  return plot.figure(options):add("scatter",
    {x = data:column(x), y = data:column(y), class = data:column("class"), classes = classes, size = 0.6})
end

return function(source)
  local potential = common.read(source, "datasets/potential.csv", {"x", "potential"})
  local landscape = common.read(source, "datasets/landscape.csv", {"x", "v", "class"})
  local spheres = common.read(source, "datasets/spheres.csv", {"x", "y", "class"})
  local curve = plot.figure{title = "(a) Potential", xlabel = "position x", ylabel = "V(x)", ratio = 1,
    legend = "none", yrange = {-0.8, 1}}
  curve:add("line", {x = potential:column("x"), y = potential:column("potential"), color = "black", dash = 1})
  return plot.panels{curve,
    points(landscape, "x", "v", {title = "(b) Minimum reached from (x, v)", xlabel = "initial position x",
      ylabel = "initial velocity v"}),
    points(spheres, "x", "y", {title = "(c) Spheres", markup = true, xlabel = "x_1", ylabel = "x_2"}),
    columns = 3, legend = "shared", note = common.note(landscape)}
end
