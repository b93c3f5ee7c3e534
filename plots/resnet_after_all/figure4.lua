-- Figure 4: accuracy of test solvers, MNIST and CIFAR-10; trained with Euler's method and with rk4.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")

return common.main("figure4",
  function(results) return common.grids(results, {"mnist", "cifar10"}, {"euler", "rk4"}) end, ...)
