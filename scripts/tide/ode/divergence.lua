--- The divergence of a field, sum of df_i/dy_i over the numbers of a sample: exact, a product with the
-- Jacobian for each of them, or by one product with random numbers (Hutchinson).
--
-- Source: R. Chen et al., Neural Ordinary Differential Equations (2018), equation 8; W. Grathwohl et al.,
-- FFJORD (2019), equation 7.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local options = require "tide.base.options"
local states = require "tide.ode.state"
local tree = require "tide.base.tree"

local M = {}
local raise, is_tensor, show = core.raise, tree.is_tensor, options.show

-- Numbers of a sample up to which a product for each of them is made.
local MOST = 1024

local laws = {"rademacher", "gaussian"}

local spec = {
  kind = {"string", default = "exact", check = options.one_of{"exact", "hutchinson"}},
  noise = {"string|tensor"}, independent = {"boolean", default = false},
}

local function check_options(where, opts)
  local o = options.check(where, opts, spec, 4)
  if o.noise ~= nil and o.kind == "exact" then
    raise(where .. ': noise is what kind = "hutchinson" takes; the exact divergence has none')
  end
  if type(o.noise) == "string" and not options.one_of(laws)(o.noise) then
    raise(('%s: noise must be a tensor like y, "rademacher" (-1 or 1) or "gaussian", got "%s"'):format(where,
      o.noise))
  end
  return o
end

-- y, as it must be; the number of samples (nil: y is one) and of the numbers of each.
local function check_state(where, y)
  if not is_tensor(y) then
    raise(("%s: y must be a tensor whose first axis are the samples, got %s%s"):format(where, show(y),
      type(y) == "table" and "; for a state of several tensors take the field of one of them" or ""))
  end
  local dtype, shape = y:dtype(), y:shape()
  if dtype ~= "float32" and dtype ~= "float64" then
    raise(("%s: y must be float32 or float64, got %s"):format(where, dtype))
  end
  if #shape == 0 then return nil, 1 end
  if #shape == 1 then return nil, shape[1] end
  local width = 1
  for i = 2, #shape do width = width * shape[i] end
  return shape[1], width
end

-- ---- noise ----

--- A tensor of y's shape and dtype whose numbers are independent, of mean 0 and variance 1.
function M.draw(law, y)
  if law == "gaussian" then return core.random("normal", y:shape(), y:dtype()) end
  return core.random("uniform", y:shape(), y:dtype()):lt(0.5):to(y:dtype()) * 2 - 1
end

local function given_noise(where, noise, y)
  local got, want = table.concat(noise:shape(), ", "), table.concat(y:shape(), ", ")
  if got ~= want or noise:dtype() ~= y:dtype() then
    raise(("%s: noise must be like y, %s {%s}, got %s {%s}"):format(where, y:dtype(), want, noise:dtype(),
      got))
  end
  return noise
end

-- The numbers of one solve: of a recorded field those that are drawn around it. One that is called anew at
-- each evaluation keeps them with the solve.
local function noise_of(where, o, self, y)
  if is_tensor(o.noise) then return given_noise(where, o.noise, y) end
  local kept = states.kept_by_solve()
  if not kept then return M.draw(o.noise, y) end
  if not kept[self] then kept[self] = M.draw(o.noise, y) end
  return given_noise(where, kept[self], y)
end

-- ---- products ----

local function by_sample(x, n, width) return n and x:reshape{n, width}:sum(2) or x:sum() end

-- Rows of all samples' Jacobians at once; of row i its i-th number.
local function exact(pull, y, n, width)
  local shape, total = y:shape(), nil
  local unit = core.arange(1, 1, width, "int64")
  local sample = n and table.move(shape, 2, #shape, 2, {1}) or shape
  for i = 1, width do
    local e = unit:eq(i):to(y:dtype()):reshape(sample)
    local row = pull(e:broadcast_to(shape)):reshape{n or 1, width}:slice(2, i, i)
    total = total and total + row or row
  end
  return total:reshape{n}
end

local function check_result(where, dy, y)
  if not is_tensor(dy) then
    raise(("%s: f must return a tensor like y, got %s"):format(where, show(dy)))
  end
  if core.is_weak(dy) then dy = dy:to(y:dtype()) end -- of t alone
  local got, want = table.concat(dy:shape(), ", "), table.concat(y:shape(), ", ")
  if got ~= want or dy:dtype() ~= y:dtype() then
    raise(("%s: f returned %s {%s}, y is %s {%s}"):format(where, dy:dtype(), got, y:dtype(), want))
  end
  return core.is_symbolic(dy) and dy or dy + y * 0 -- a constant field
end

-- Rows of all Jacobians come from one product, which is right where samples do not depend on each other.
local function check_samples(where, y, dy)
  local op = core.samples_meet({y}, {dy})
  if op then
    raise(('%s: the exact divergence is of samples that do not depend on each other, and here they meet, or '
      .. 'may, in "%s" (a mean, a norm or a product over the first axis, a solve inside); take '
      .. '"hutchinson", which is right in the mean for such fields too%s'):format(where, op,
      where == "ode.divergence" and "; if you know that they are independent, independent = true" or ""))
  end
end

-- f and its exact divergence from a field that knows how (nn.mlp), nil from others.
local function own_divergence(f, t, y)
  local meta = getmetatable(f)
  local methods = type(f) == "table" and type(meta) == "table" and meta.__index
  if type(methods) ~= "table" or not methods._with_divergence then return nil end
  return methods._with_divergence(f, t, y)
end

-- f, the divergence, and with Hutchinson's the product e^T df/dy that it is made of; all in a recording.
local function emit(where, f, o, t, y, noise)
  local n, width = check_state(where, y)
  if o.kind == "exact" then
    local dy, value = own_divergence(f, t, y)
    if dy then return check_result(where, dy, y), value end
  end
  if o.kind == "exact" and width > MOST then
    raise(('%s: the exact divergence makes a product for each number of a sample, %d here (at most %d); '
      .. 'take kind = "hutchinson"'):format(where, width, MOST))
  end
  local dy, pull = autodiff.vjp(function(x)
    local slope = check_result(where, f(t, x), y)
    if o.kind == "exact" and not o.independent and (n or 1) > 1 then check_samples(where, x, slope) end
    return slope
  end, y)
  if y:numel() == 0 then return dy, by_sample(dy, n, width), dy end
  if o.kind == "exact" then return dy, exact(pull, y, n, width) end
  local product = pull(noise)
  return dy, by_sample(product * noise, n, width), product
end

--- function(t, y) -> f(t, y), divergence, product, which share what they compute. o: options as checked.
function M.with_value(where, f, o)
  local self = {}
  o.noise = o.noise or "rademacher"
  return function(t, y)
    check_state(where, y)
    local noise = o.kind == "hutchinson" and noise_of(where, o, self, y)
    if core.is_recording() then return emit(where, f, o, t, y, noise) end
    local once = autodiff.compile(function(x) return {emit(where, f, o, t, x, noise)} end)
    return table.unpack(once(y))
  end
end

--- divergence(f, opts) -> function(t, y) -> divergence of each sample: see help("ode.divergence").
function M.divergence(f, opts)
  local where = "ode.divergence"
  local meta = getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise(("%s: f must be a function f(t, y), got %s"):format(where, show(f)))
  end
  local both = M.with_value(where, f, check_options(where, opts))
  return function(t, y)
    local _, value = both(t, y)
    return value
  end
end

return M
