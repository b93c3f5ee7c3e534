-- Figure 17: accuracy of test solvers, spheres in 3 dimensions.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure17",
  function(results) return common.grids(results, {"spheres3"}, {"euler", "rk4"}) end, ...)
