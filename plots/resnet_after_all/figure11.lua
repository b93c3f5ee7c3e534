-- Figure 11: all seeds, energy landscape, trained with 8, 16 and 32 steps.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure11", function(results) return common.seeds(results, "landscape", {8, 16, 32}) end,
  ...)
