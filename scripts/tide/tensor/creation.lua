--- New tensors: of numbers, of one number, of a sequence, random.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise
local is_tensor, check_tensor, integer = tree.is_tensor, tree._check_tensor, options.integer

function M.tensor(values, opts)
  local o = arguments.creation("tensor", opts)
  if is_tensor(values) then return opts and opts.dtype and values:to(o.dtype):clone() or values:clone() end
  local kind = type(values)
  if kind ~= "table" and kind ~= "number" and kind ~= "boolean" then
    raise("tide.tensor: expected a nested table, a number or a tensor, got " .. options.show(values))
  end
  return core.tensor_from(values, o.dtype)
end

function M.full(shape, value, opts)
  return core.full(arguments.shape("full", shape), arguments.number("tide.full", "value", value),
    arguments.creation("full", opts).dtype)
end
function M.zeros(shape, opts)
  return core.full(arguments.shape("zeros", shape), 0, arguments.creation("zeros", opts).dtype)
end
function M.ones(shape, opts)
  return core.full(arguments.shape("ones", shape), 1, arguments.creation("ones", opts).dtype)
end
function M.zeros_like(x) return core.full(check_tensor(x, "tide.zeros_like"):shape(), 0, x:dtype()) end
function M.ones_like(x) return core.full(check_tensor(x, "tide.ones_like"):shape(), 1, x:dtype()) end

function M.randn(shape, opts)
  local o = arguments.creation("randn", opts)
  return core.random("normal", arguments.shape("randn", shape), o.dtype, o.seed)
end
function M.rand(shape, opts)
  local o = arguments.creation("rand", opts)
  return core.random("uniform", arguments.shape("rand", shape), o.dtype, o.seed)
end

--- A random permutation of 1..n, int64.
function M.randperm(n, opts)
  local o = arguments.creation("randperm", opts)
  if not integer(n) or n < 0 then
    raise("tide.randperm: n must be an integer >= 0, got " .. options.show(n))
  end
  return core.permutation(integer(n), o.seed)
end

function M.seed(n)
  if not integer(n) then raise("tide.seed: the seed must be an integer, got " .. options.show(n)) end
  core.rng_state(integer(n), 0)
end

function M.arange(first, last, step, opts)
  if type(step) == "table" then step, opts = nil, step end
  arguments.number("tide.arange", "first", first)
  arguments.number("tide.arange", "last", last)
  step = step == nil and 1 or arguments.number("tide.arange", "step", step)
  if step == 0 or step ~= step then raise("tide.arange: step must not be 0") end
  local n, slack = (last - first) / step, 1e-9
  if math.type(first) == "integer" and math.type(last) == "integer" and math.type(step) == "integer" then
    local way = last - first
    if (way < 0) ~= (last < first) then way = last - (first + 0.0) end -- more than an integer holds
    n, slack = way // step, 0
  end
  if n ~= n or n > 2 ^ 31 - 2 then
    raise(("tide.arange: %s..%s in steps of %s has too many elements"):format(options.show(first),
      options.show(last), options.show(step)))
  end
  -- as in Lua's for; a float step gets the last element in spite of rounding
  return core.arange(first, step, math.max(0, math.floor(n + slack * math.abs(n)) + 1),
    arguments.creation("arange", opts).dtype)
end

function M.linspace(a, b, n, opts)
  arguments.number("tide.linspace", "a", a)
  arguments.number("tide.linspace", "b", b)
  if not integer(n) or n < 0 then
    raise("tide.linspace: n must be an integer >= 0, got " .. options.show(n))
  end
  local o = arguments.creation("linspace", opts)
  if n == 0 then return M.zeros({0}, {dtype = o.dtype}) end
  return core.arange(a, n > 1 and (b - a) / (n - 1) or 0, integer(n), o.dtype, n > 1 and b or nil)
end

local logspace_spec = {dtype = arguments.dtype_rule,
  base = {"number", default = 10, check = options.positive}}

--- base^a .. base^b, n numbers whose logarithms are equally far apart.
function M.logspace(a, b, n, opts)
  local o = options.check("tide.logspace", opts, logspace_spec)
  arguments.number("tide.logspace", "a", a)
  arguments.number("tide.logspace", "b", b)
  if not integer(n) or n < 0 then
    raise("tide.logspace: n must be an integer >= 0, got " .. options.show(n))
  end
  local powers = core.full({}, o.base, "float64") ^ M.linspace(a, b, n, {dtype = "float64"})
  return powers:to(o.dtype)
end

function M.eye(n, opts)
  if not integer(n) or n < 0 then raise("tide.eye: n must be an integer >= 0, got " .. options.show(n)) end
  local i = core.arange(1, 1, integer(n), "int64")
  return i:reshape{n, 1}:eq(i):to(arguments.creation("eye", opts).dtype)
end

function M.one_hot(labels, classes, opts)
  local dtype = arguments.creation("one_hot", opts).dtype
  check_tensor(labels, "tide.one_hot")
  return core.apply("one_hot", {classes, dtype == "float64" and 1 or 0}, labels):to(dtype)
end

return M
