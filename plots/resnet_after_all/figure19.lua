-- Figure 19: accuracy of test solvers, spheres in 900 dimensions.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure19",
  function(results) return common.grids(results, {"spheres900"}, {"euler", "rk4"}) end, ...)
