-- Figure 21: spheres in the plane, trained with dopri5 at several tolerances (rtol = atol), tested at others.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

return common.main("figure21", function(results)
  local data = common.read(results, "tolerances/grid.csv", {"method", "setting", "test_method", "factor",
    "test_setting", "accuracy"})
  if not data then return nil end
  local fig = common.overview(data, "dopri5", "Spheres, 2 dimensions, trained with dopri5")
  common.explain(fig, {"dopri5"})
  return plot.panels{fig, legend = "shared", width = 640, note = table.concat(data.comments, "\n")}
end, ...)
