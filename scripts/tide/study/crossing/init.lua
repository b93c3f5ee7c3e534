--- Why a model is no flow: paths that cross, steps that fold space over, steps too long for the field.
--
-- Two solutions of an ODE never meet. So in one dimension the order of the points stays, in two dimensions
-- paths do not cross, and in any dimension one step z -> Psi_h(z) must keep orientation: det DPsi_h > 0 (for
-- Euler's method DPsi_h = I + hJ). h times a Lipschitz constant of the field below 1 is enough for that with
-- Euler's method: then I + hJ cannot be singular.

local M = {}

for _, subject in ipairs{"predicates", "sweep", "matrices", "derivatives"} do
  for name, value in pairs(require("tide.study.crossing." .. subject)) do M[name] = value end
end

return M
