-- Figure 8: all seeds, spheres in the plane, trained with 8, 16 and 32 steps.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure8", function(results) return common.seeds(results, "spheres2", {8, 16, 32}) end,
  ...)
