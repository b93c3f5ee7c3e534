-- Figure 9: all seeds, spheres in the plane, trained with 64, 128 and 256 steps.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure9", function(results) return common.seeds(results, "spheres2", {64, 128, 256}) end,
  ...)
