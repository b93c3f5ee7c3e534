-- Figure 12: all seeds, energy landscape, trained with 64, 128 and 256 steps.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure12",
  function(results) return common.seeds(results, "landscape", {64, 128, 256}) end, ...)
