--- Random choices: integers, yes or no, categories. Counter-based, so that a seed gives the same numbers on
-- any number of threads; in what is recorded once and run often they are drawn at each run, as tide.rand is.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local creation = require "tide.tensor.creation"
local options = require "tide.base.options"
local ordering = require "tide.tensor.ordering"
local tree = require "tide.base.tree"

local M = {}
local apply, raise = core.apply, core.raise
local is_tensor, check_tensor, integer = tree.is_tensor, tree._check_tensor, options.integer

local seed_spec = {seed = {"integer"}}

--- Integers from low to high, both included, all as likely: int64.
function M.randint(low, high, shape, opts)
  local o = options.check("tide.randint", opts, seed_spec)
  for _, given in ipairs{{"low", low}, {"high", high}} do
    if not integer(given[2]) then
      raise(("tide.randint: %s must be an integer, got %s"):format(given[1], options.show(given[2])))
    end
  end
  if low > high then raise(("tide.randint: there is no integer in %d..%d"):format(low, high)) end
  return core.integers(integer(low), integer(high), arguments.shape("randint", shape), o.seed)
end

-- Numbers that are known must lie between limits; what is being recorded is not looked at.
local function check_range(where, what, x, high)
  if core.is_symbolic(x) or x:numel() == 0 then return end
  local nothing <close> = core.tape_begin("nothing") -- luacheck: ignore nothing
  for _, v in ipairs{x:min():item(), x:max():item()} do
    if not (v >= 0 and v <= high and v < math.huge) then
      raise(("%s: %s must lie in 0..%s, there is %s"):format(where, what, high == math.huge and "infinity"
        or tostring(high), options.show(v)))
    end
  end
end

--- 1 with probability p, else 0: for each element of a tensor p, of its shape and dtype, or for a number p
-- and a shape.
function M.bernoulli(p, shape, opts)
  local o
  if is_tensor(p) then
    if shape ~= nil and opts ~= nil then raise("tide.bernoulli: the shape is that of the probabilities") end
    o = options.check("tide.bernoulli", opts or shape, seed_spec)
    if not p:dtype():find "float" then p = p:to(arguments.dtype_rule.default) end
  else
    o = arguments.creation("bernoulli", opts)
    p = arguments.scalar(arguments.number("tide.bernoulli", "p", p), o.dtype):broadcast_to(
      arguments.shape("bernoulli", shape))
  end
  check_range("tide.bernoulli", "probabilities", p, 1)
  return creation.rand(p:shape(), {dtype = "float64", seed = o.seed}):lt(p):to(p:dtype())
end

local multinomial_spec = {replacement = {"boolean", default = false}, seed = {"integer"}}

local function check_weights(weights, n, replacement)
  check_range("tide.multinomial", "weights", weights, math.huge)
  if core.is_symbolic(weights) or weights:numel() == 0 and n == 0 then return end
  local nothing <close> = core.tape_begin("nothing") -- luacheck: ignore nothing
  local possible = weights:numel() > 0 and weights:gt(0):sum(-1):min():item() or 0
  if n > 0 and possible < (replacement and 1 or n) then
    raise(("tide.multinomial: %d draws %s replacement need %d weights above 0, there %s %d"):format(n,
      replacement and "with" or "without", replacement and 1 or n, possible == 1 and "is" or "are", possible))
  end
end

--- n 1-based positions, each as likely as its weight, {n} of a vector of weights, {rows, n} of a matrix.
function M.multinomial(weights, n, opts)
  local o, rank = options.check("tide.multinomial", opts, multinomial_spec), nil
  rank = check_tensor(weights, "tide.multinomial"):rank()
  if rank ~= 1 and rank ~= 2 then
    raise(("tide.multinomial: weights must be a vector or a matrix, got shape {%s}"):format(table.concat(
      weights:shape(), ", ")))
  end
  if not integer(n) or n < 0 or n > 2 ^ 31 - 1 then
    raise("tide.multinomial: the number of draws must be an integer >= 0, got " .. options.show(n))
  end
  check_weights(weights, integer(n), o.replacement)
  local w, shape = weights:to("float64"), weights:shape()
  local k = shape[rank]
  local draws = {dtype = "float64", seed = o.seed}
  if o.replacement then
    local upto = w:cumsum(-1)
    shape[rank] = integer(n)
    if k == 0 then return core.full(shape, 0, "int64") end
    local u = creation.rand(shape, draws) * upto:slice(-1, k, k)
    return ordering.searchsorted(upto, u, {right = true}):minimum(k)
  end
  -- the order of exponential times with these rates (Efraimidis and Spirakis, Inf. Proc. Letters 97, 2006)
  local times = (1 - creation.rand(shape, draws)):log():neg() / w
  return apply("argsort", {rank - 1, 0}, times):slice(-1, 1, integer(n))
end

return M
