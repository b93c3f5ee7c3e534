-- Figure 20: spheres in the plane, trained with fehlberg21 at several tolerances (rtol = atol), tested at
-- others.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

return common.main("figure20", function(results)
  local data = common.read(results, "tolerances/grid.csv", {"method", "setting", "test_method", "factor",
    "test_setting", "accuracy"})
  if not data then return nil end
  local fig = common.overview(data, "fehlberg21", "Spheres, 2 dimensions, trained with fehlberg21")
  common.explain(fig, {"fehlberg21", "dopri5"})
  return plot.panels{fig, legend = "shared", width = 640, note = table.concat(data.comments, "\n")}
end, ...)
