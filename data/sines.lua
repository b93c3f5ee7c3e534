--- The separable toy of Augmented Neural ODEs: two sine curves one above the other, labels +1 (upper) and -1
-- (lower).
--
-- x uniform in [-1, 1], second coordinate sin(pi x) +- shift/2 with normal noise; further dimensions are
-- uniform noise in [-1, 1].

local core = require "tide.core"
local options = require "tide.options"
local tensor = require "tide.tensor"

local spec = {
  dim = {"integer", default = 2, check = options.at_least(2)},
  n = {"integer", default = 3000, check = options.at_least(2)},
  shift = {"number", default = 1.4}, noise = {"number", default = 0.1, check = options.not_negative},
  seed = {"integer", default = 1},
  dtype = tensor._dtype_rule,
}

return {
  sines = function(opts)
    local o = options.check("data.sines", opts, spec)
    local y = core.arange(1, 1, o.n, "float64"):reshape{o.n, 1}:gt(o.n // 2):to("float64") * 2 - 1
    local x = core.random("uniform", {o.n, 1}, "float64", o.seed * 4) * 2 - 1
    local height = (x * math.pi):sin() + y * (o.shift / 2) + core.random("normal", {o.n, 1}, "float64",
      o.seed * 4 + 1) * o.noise
    local columns = {x, height}
    if o.dim > 2 then
      columns[3] = core.random("uniform", {o.n, o.dim - 2}, "float64", o.seed * 4 + 2) * 2 - 1
    end
    return {x = tensor.cat(columns, 2):to(o.dtype), y = y:to(o.dtype)}
  end,
}
