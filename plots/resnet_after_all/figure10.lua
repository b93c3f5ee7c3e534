-- Figure 10: all seeds, energy landscape, trained with 1, 2 and 4 steps.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure10", function(results) return common.seeds(results, "landscape", {1, 2, 4}) end,
  ...)
