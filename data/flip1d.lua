--- The one-dimensional tasks of figure 3 of Augmented Neural ODEs: points near -1 and +1, to be mapped to the
-- other side (task "flip", the g_1d that no flow can represent) or to themselves ("identity").

local core = require "tide.core"
local options = require "tide.options"
local tensor = require "tide.tensor"

local spec = {
  n = {"integer", default = 500, check = options.at_least(2)},
  task = {"string", default = "flip", check = options.one_of{"flip", "identity"}},
  noise = {"number", default = 0, check = options.not_negative}, seed = {"integer", default = 1},
  dtype = tensor._dtype_rule,
}

return {
  flip1d = function(opts)
    local o = options.check("data.flip1d", opts, spec)
    local side = core.arange(1, 1, o.n, "float64"):reshape{o.n, 1}:gt(o.n // 2):to("float64") * 2 - 1
    local x = side
    if o.noise > 0 then x = x + core.random("normal", {o.n, 1}, "float64", o.seed) * o.noise end
    return {x = x:to(o.dtype), y = (o.task == "flip" and -side or side):to(o.dtype)}
  end,
}
