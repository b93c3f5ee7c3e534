--- Why a model is no flow: paths that cross, steps that fold space over, steps too long for the field.
--
-- Two solutions of an ODE never meet. So in one dimension the order of the points stays, in two dimensions
-- paths do not cross, and in any dimension one step z -> Psi_h(z) must keep orientation: det DPsi_h > 0 (for
-- Euler's method DPsi_h = I + hJ). h times a Lipschitz constant of the field below 1 is enough for that with
-- Euler's method: then I + hJ cannot be singular.

local options = require "tide.base.options"
local predicates = require "tide.study.crossing.predicates"

local M = {}

for _, subject in ipairs{"predicates", "sweep", "matrices", "derivatives"} do
  for name, value in pairs(require("tide.study.crossing." .. subject)) do M[name] = value end
end

-- The sweep asks these for every pair, of what it knows to be numbers.
local function check_numbers(where, ...)
  for i = 1, select("#", ...) do options.argument(where, "coordinate " .. i, (select(i, ...)), "number") end
end

function M.orientation(ax, ay, bx, by, cx, cy)
  check_numbers("crossing.orientation", ax, ay, bx, by, cx, cy)
  return predicates.orientation(ax, ay, bx, by, cx, cy)
end

function M.segments(ax, ay, bx, by, cx, cy, dx, dy)
  check_numbers("crossing.segments", ax, ay, bx, by, cx, cy, dx, dy)
  return predicates.segments(ax, ay, bx, by, cx, cy, dx, dy)
end

return M
