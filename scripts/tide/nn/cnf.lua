--- Continuous normalizing flows: a standard normal distribution carried along by a field.
--
-- Base at the beginning of the span, data at its end: dz/dt = f(t, z), d log p(z) / dt = -div f.
-- Source: R. Chen et al., Neural Ordinary Differential Equations (2018), section 4; W. Grathwohl et al.,
-- FFJORD (2019). Augmented: C.-W. Huang et al., Augmented Normalizing Flows (2020).

local arguments = require "tide.nn.arguments"
local blocks = require "tide.nn.blocks"
local class = require "tide.nn.model_class"
local core = require "tide.core"
local divergence = require "tide.ode.divergence"
local fields = require "tide.nn.fields"
local initial = require "tide.nn.initial"
local ode = require "tide.ode"
local options = require "tide.base.options"
local regular = require "tide.nn.regular"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise
local count = options.at_least(1)

-- ---- arguments ----

local kinds, laws = options.one_of{"exact", "hutchinson"}, options.one_of{"rademacher", "gaussian"}

local rules = {
  solver = {"table"}, divergence = {"string", check = kinds}, noise = {"string|tensor"},
  samples = {"integer", default = 1, check = count}, seed = {"integer"},
}
-- The options of a method.
local function spec_of(names)
  local spec = {}
  for name in names:gmatch("%a+") do spec[name] = rules[name] end
  return spec
end
local flow_spec, draw_spec = spec_of "solver divergence noise", spec_of "solver seed"
local log_prob_spec = spec_of "solver divergence noise samples seed"

-- x of as many features as the flow has: {N, dim}, or {N, dim + augment} where the flow is augmented.
local function state_of(where, self, x)
  local width = self.input[1] + self.augment
  local shape = tree.is_tensor(x) and x:shape() or {}
  if #shape ~= 2 or shape[2] ~= width then
    raise(("%s: expected a tensor {N, %d}%s, got %s"):format(where, width, self.augment > 0
      and (" (dim = %d, augment = %d)"):format(self.input[1], self.augment) or "",
      tree.is_tensor(x) and ("{%s}"):format(table.concat(shape, ", ")) or options.show(x)))
  end
  return x
end

-- ---- the flow ----

-- z at the other end of the span, the logarithm of the determinant of its Jacobian, and the statistics.
local function flow(where, self, z, o, backwards)
  local solver, span = blocks._options(self.block, nil, o.solver)
  local t0, t1 = span[1], span[#span]
  if backwards then t0, t1 = t1, t0 end
  local kind = o.divergence or self.divergence
  local own = self.block.regularise
  if o.noise and kind == "exact" then
    raise(where .. ': noise is for divergence = "hutchinson"; the exact divergence has none')
  end
  local both = divergence.with_value(where, self.block.field, {kind = kind,
    noise = kind == "hutchinson" and (o.noise or self.noise) or nil})
  local function call(t, y)
    local dz, value, product = both(t, y.z)
    return {z = dz, log = value}, dz, product
  end
  if not regular.wanted(own) then
    local plain = call
    call = function(t, y) return (plain(t, y)) end
  end
  local start = {z = z, log = core.full({z:shape()[1]}, 0, z:dtype())}
  local function inner(y) return y.z end
  local ys, stats = blocks._solve(where, self.block, start, {t0, t1}, solver, call, inner)
  return ys.z[-1], ys.log[-1], stats
end

local function log_normal(z)
  return z:square():sum(2) * -0.5 - 0.5 * math.log(2 * math.pi) * z:shape()[2]
end

local methods = {}

--- From the base to the data: x, log |det dx/dz|, statistics.
function methods.forward(self, z, opts)
  local where = "cnf:forward"
  return flow(where, self, state_of(where, self, z), options.check(where, opts, flow_spec), false)
end

--- From the data to the base: z, log |det dz/dx|, statistics.
function methods.inverse(self, x, opts)
  local where = "cnf:inverse"
  return flow(where, self, state_of(where, self, x), options.check(where, opts, flow_spec), true)
end

-- log p of {N, dim + augment}.
local function log_joint(where, self, x, o)
  local z, log, stats = flow(where, self, x, o, true)
  return log_normal(z) + log, stats
end

-- log p(x) = log E p(x, e) / q(e) for e ~ q, a normal distribution, by as many e as asked for.
local function log_augmented(where, self, x, o)
  local n, k, dtype = x:shape()[1], o.samples, x:dtype()
  local e = core.random("normal", {k * n, self.augment}, dtype, o.seed)
  if k > 1 then x = x:reshape{1, n, -1}:broadcast_to{k, n, self.input[1]}:reshape{k * n, self.input[1]} end
  local joint, stats = log_joint(where, self, tensor.cat({x, e}, 2), o)
  local ratio = joint - log_normal(e)
  if k > 1 then ratio = ratio:reshape{k, n}:logsumexp(1) - math.log(k) end
  return ratio, stats
end

--- log p(x), {N}, and statistics; a lower bound (in the mean) where the flow is augmented.
function methods.log_prob(self, x, opts)
  local where = "cnf:log_prob"
  arguments.input(where, self, x)
  local o = options.check(where, opts, log_prob_spec)
  if self.augment > 0 then return log_augmented(where, self, x, o) end
  if o.samples > 1 or o.seed then
    raise(where .. ": samples and seed are of the random numbers of an augmented flow; this one has augment "
      .. "= 0")
  end
  return log_joint(where, self, x, o)
end

local function base_sample(where, self, n, o)
  if not options.integer(n) or n < 0 then
    raise(("%s: n must be an integer >= 0, got %s"):format(where, options.show(n)))
  end
  local first = tree.tensors(self, true)[1]
  return core.random("normal", {options.integer(n), self.input[1] + self.augment},
    first and first:dtype() or self.dtype, o.seed)
end

--- n samples {n, dim}, and statistics.
function methods.sample(self, n, opts)
  local where = "cnf:sample"
  local o = options.check(where, opts, draw_spec)
  local z = base_sample(where, self, n, o)
  local solver, span = blocks._options(self.block, nil, o.solver)
  local ys, stats = ode.odeint(self.block.field, z, {span[1], span[#span]}, solver)
  return ys[-1]:slice(2, 1, self.input[1]), stats
end

--- States of n samples at the given times, {n_times, n, dim + augment}, and statistics.
function methods.trajectory(self, n, times, opts)
  local where = "cnf:trajectory"
  local o = options.check(where, opts, draw_spec)
  local z = base_sample(where, self, n, o)
  local solver, t = blocks._options(self.block, times, o.solver)
  return ode.odeint(self.block.field, z, t, solver)
end

local make_cnf = class("nn.cnf", "input augment divergence noise dtype block",
  function(self, x, opts) return methods.log_prob(self, x, opts) end, methods,
  {solver = "block.solver", field = "block.field", regularise = "block.regularise"})

-- ---- making one ----

local default_solver = {method = "dopri5", rtol = 1e-5, atol = 1e-5}

local cnf_spec = initial.options{
  dim = {"integer", required = true, check = count}, hidden = {"integer|table", default = 64},
  augment = {"integer", default = 0, check = options.at_least(0)},
  time = {"boolean", default = true}, act = {"string", default = "tanh"},
  field = {"any"}, solver = {"table"},
  divergence = {"string", default = "exact", check = kinds},
  noise = {"string", default = "rademacher", check = laws},
}

local function widths(o, width)
  local hidden = o.hidden
  if type(hidden) ~= "table" then hidden = {hidden, hidden} end
  local sizes = {width}
  for i, n in ipairs(hidden) do sizes[i + 1] = arguments.size("nn.cnf", "hidden[" .. i .. "]", n) end
  sizes[#sizes + 1] = width
  return sizes
end

local function field_of(o, width)
  if o.field == nil then
    return fields.mlp{sizes = widths(o, width), act = o.act, time = o.time, init = o.init, std = o.std,
      bias = o.bias, dtype = o.dtype, seed = o.seed}
  end
  local meta = getmetatable(o.field)
  if type(o.field) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise("nn.cnf: field must be a function f(t, z), got " .. options.show(o.field))
  end
  return o.field
end

--- cnf{dim =, ...} -> model; model(x) is log p(x): see help("nn.cnf").
function M.cnf(opts)
  local o = options.check("nn.cnf", opts, cnf_spec)
  local field, solver = field_of(o, o.dim + o.augment), blocks._checked("nn.cnf", o.solver or default_solver)
  return make_cnf{input = {o.dim}, augment = o.augment, divergence = o.divergence, noise = o.noise,
    dtype = o.dtype, block = blocks._with(field, solver)}
end

return M
