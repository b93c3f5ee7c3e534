--- The data of g(x) in Augmented Neural ODEs (section 3): a ball of label -1 inside a shell of label +1.
--
-- Radius r_min + (r_max - r_min) u^(1/dim), direction uniform, as in the authors' code: uniform in the ball,
-- biased outwards in the shell.

local core = require "tide.core"
local options = require "tide.options"
local tensor = require "tide.tensor"

local spec = {
  dim = {"integer", default = 2, check = options.at_least(1)},
  inner = {"integer", default = 1000, check = options.at_least(0)},
  outer = {"integer", default = 2000, check = options.at_least(0)},
  r1 = {"number", default = 0.5, check = options.positive},
  r2 = {"number", default = 1.0, check = options.positive},
  r3 = {"number", default = 1.5, check = options.positive}, seed = {"integer", default = 1},
  dtype = tensor._dtype_rule,
}

local function shell(n, o, low, high, stream)
  local direction = core.random("normal", {n, o.dim}, "float64", o.seed * 4 + stream)
  direction = direction / direction:square():sum(2, true):sqrt()
  local u = core.random("uniform", {n, 1}, "float64", o.seed * 4 + stream + 2)
  return direction * (u ^ (1 / o.dim) * (high - low) + low)
end

return {
  spheres = function(opts)
    local o = options.check("data.spheres", opts, spec)
    if not (o.r1 < o.r2 and o.r2 < o.r3) then
      core.raise(("data.spheres: the radii must satisfy r1 < r2 < r3, got %g, %g, %g"):format(o.r1, o.r2,
        o.r3))
    end
    local x = tensor.cat({shell(o.inner, o, 0, o.r1, 0), shell(o.outer, o, o.r2, o.r3, 1)}, 1)
    local y = tensor.cat({tensor.full({o.inner, 1}, -1, {dtype = o.dtype}),
      tensor.ones({o.outer, 1}, {dtype = o.dtype})}, 1)
    return {x = x:to(o.dtype), y = y}
  end,
}
