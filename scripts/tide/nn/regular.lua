--- Regularisers of an ODE block: what a field does along its solution, as an integral beside the solve that
-- joins the loss, and a random end of the span.
--
-- Source: C. Finlay et al., How to train your neural ODE (2020): kinetic, jacobian. J. Kelly et al., Learning
-- differential equations that are easy to solve (2020): derivative. A. Ghosh et al., STEER (2020): end_time.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local divergence = require "tide.ode.divergence"
local options = require "tide.base.options"

local M = {}
local raise = core.raise

local spec = {
  kinetic = {"number", check = options.not_negative}, jacobian = {"number", check = options.not_negative},
  derivative = {"number", check = options.not_negative},
  order = {"integer", check = options.between(1, 6)},
  noise = {"string", check = options.one_of{"rademacher", "gaussian"}},
  end_time = {"number", check = options.not_negative},
}

--- The checked options of a block's regularisers, nil for none.
function M.check(where, given, span)
  if given == nil then return nil end
  local o = options.check(where .. ": regularise", given, spec, 4)
  if o.order and not o.derivative then
    raise(where .. ": regularise: order is that of derivative, which is missing")
  end
  if o.noise and not o.jacobian then
    raise(where .. ": regularise: noise is that of jacobian, which is missing")
  end
  local length = math.abs(span[#span] - span[1])
  if o.end_time and o.end_time >= length then
    raise(("%s: regularise: end_time must be less than the span of %g, got %g"):format(where, length,
      o.end_time))
  end
  return next(o) and o or nil
end

-- ---- who asks for them ----

local asked -- the penalties so far, while somebody does

--- penalised(fn, ...) -> penalty, what fn(...) returns: see help("nn.penalised").
function M.penalised(fn, ...)
  local meta = getmetatable(fn)
  if type(fn) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise("nn.penalised: expected a model or a function to call, got " .. options.show(fn))
  end
  local own, outer = {sum = 0, recording = core.is_recording()}, asked
  local guard <close> = setmetatable({}, {__close = function() asked = outer end}) -- luacheck: ignore guard
  asked = own
  -- What was compiled before nobody asked has no penalties: it is recorded anew, and M.add says what is
  -- wrong.
  local within <close> = autodiff._within("penalised") -- luacheck: ignore within
  local results = table.pack(fn(...))
  return own.sum, table.unpack(results, 1, results.n)
end

--- Is there somebody? Else a block does without.
function M.wanted(o) return o ~= nil and asked ~= nil end

-- ---- what they are ----

-- d^k y / dt^k along the solution: the derivative of the one before on the way (1, f).
local function derivative(f, k)
  if k == 1 then return f end
  local before = derivative(f, k - 1)
  return function(t, y)
    local dy, dtype = f(t, y), y:dtype()
    local _, d = autodiff.jvp(function(s) return before(s + t, y + dy * s) end, core.full({}, 0, dtype),
      core.full({}, 1, dtype))
    return d
  end
end

-- The mean of the squares over the numbers of each sample.
local function mean_square(x)
  local n = x:shape()[1]
  return x:rank() == 1 and x:square() or x:reshape{n, -1}:square():mean(2)
end

-- What a solve is to call, keeping what it computes for the integrand, which is called with the same t and y
-- right after it.
local function sharing(call)
  local last = {}
  local function keep(t, y)
    last.y, last.slope, last.product = y, nil, nil
    local dy, slope, product = call(t, y)
    last.slope, last.product = slope, product
    return dy
  end
  return keep, function(t, y)
    if not rawequal(last.y, y) then keep(t, y) end
    return last.slope, last.product
  end
end

--- What a solve is to call, and the integrand beside it, nil where there is nothing to integrate. call(t, y)
-- -> dy/dt, f(t, z), e^T df/dz with the noise e or nil; f: the field of z; part(y) -> z.
function M.integrand(o, f, call, part)
  if not (o.kinetic or o.jacobian or o.derivative) then return call, nil end
  local own = o.jacobian and M.products(o, f)
  local keep, values = sharing(call)
  local higher = o.derivative and derivative(f, o.order or 2)
  return keep, function(t, y)
    local slope, product = values(t, y)
    local total, z = 0, part(y)
    if o.kinetic then total = total + mean_square(slope) * o.kinetic end
    if own then total = total + mean_square(product or select(3, own(t, z))) * o.jacobian end
    if higher then total = total + mean_square(higher(t, z)) * o.derivative end
    return total
  end
end

--- function(t, z) -> f, divergence, product with the noise that o says; see ode/divergence.lua.
function M.products(o, f)
  return divergence.with_value("nn: regularise", f, {kind = "hutchinson", noise = o.noise})
end

--- The penalty of an integral, {2, samples}, of a solve from t0 to t1.
function M.add(integral, t0, t1)
  if core.is_recording() ~= asked.recording then
    raise("nn.penalised: what it calls is recorded (tide.compile, tide.grad), and a penalty cannot leave a "
      .. "recording; call nn.penalised inside of the function that is recorded")
  end
  asked.sum = integral[-1]:mean() * (t1 < t0 and -1 or 1) + asked.sum
end

--- The times of a solve that ends at random, uniform within end_time around the end of the span.
function M.times(times, o)
  if not o.end_time or o.end_time == 0 then return times end
  local first, last = times[1], times[#times]
  local off = (core.random("uniform", {1}, "float64") * 2 - 1) * o.end_time
  return core.apply("cat", {0}, core.tensor_from({first}, "float64"), off + last)
end

return M
