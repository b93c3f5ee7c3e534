-- Figure 3: accuracy of test solvers, spheres in the plane and the energy landscape; trained with Euler's
-- method and with rk4.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure3",
  function(results) return common.grids(results, {"spheres2", "landscape"}, {"euler", "rk4"}) end, ...)
