-- Figure 18: accuracy of test solvers, spheres in 10 dimensions.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure18",
  function(results) return common.grids(results, {"spheres10"}, {"euler", "rk4"}) end, ...)
