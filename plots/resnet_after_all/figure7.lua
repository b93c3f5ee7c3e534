-- Figure 7: all seeds, spheres in the plane, trained with 1, 2 and 4 steps.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure7", function(results) return common.seeds(results, "spheres2", {1, 2, 4}) end, ...)
