--- Sums over axes: reductions, products of matrices, softmax.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local elementwise = require "tide.tensor.elementwise"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local T = core.methods
local apply, raise = core.apply, core.raise
local check_tensor, integer = tree._check_tensor, options.integer

-- Bit mask of the axes of a list.
local function axes_mask(where, list, rank)
  local mask = 0
  for key in pairs(list) do
    if not integer(key) or key > #list then
      raise(("%s: axis must be an integer or a list of them, got a table with the key %s; options are "
        .. "positional here: x:%s(axis, true) keeps the axis")
        :format(where, options.show(key), where))
    end
  end
  for _, axis in ipairs(list) do
    local bit = 1 << arguments.axis(where, axis, rank)
    if mask & bit ~= 0 then raise(("%s: axis %s is given twice"):format(where, options.show(axis))) end
    mask = mask | bit
  end
  return mask
end

-- Bit mask of axes and the shape without them.
local function reduced(x, where, axis, keepdim)
  local shape = check_tensor(x, where):shape()
  local mask, rest, count = (1 << #shape) - 1, {}, 1
  options.flag(where, "keepdim", keepdim)
  if axis ~= nil then mask = axes_mask(where, type(axis) == "table" and axis or {axis}, #shape) end
  for i, n in ipairs(shape) do
    if mask >> (i - 1) & 1 == 0 then rest[#rest + 1] = n else count = count * n end
  end
  return mask, rest, count
end

local function reduction(name)
  return function(x, axis, keepdim)
    local mask, rest = reduced(x, name, axis, keepdim)
    local y = apply(name, {mask}, x)
    return keepdim and y or apply("reshape", rest, y)
  end
end
T.sum, T.max, T.min = reduction "sum", reduction "max", reduction "min"

function T.mean(x, axis, keepdim)
  local mask, rest, count = reduced(x, "mean", axis, keepdim)
  local y = apply("sum", {mask}, x) / count
  return keepdim and y or apply("reshape", rest, y)
end

local spread_options = {correction = {"number", default = 1}}

--- Sum of squared deviations from the mean, divided by the count less `correction`.
function T.var(x, axis, keepdim, opts)
  local correction = options.check("var", opts, spread_options).correction
  local _, _, count = reduced(x, "var", axis, keepdim)
  local centred = x - T.mean(x, axis, true)
  return T.sum(centred:square(), axis, keepdim) / math.max(0, count - correction)
end

-- The square root; its derivative at 0 counts as 0, as a norm's.
local function root(x, power)
  local zero = x:eq(0)
  local safe = elementwise.where(zero, 1, x)
  return elementwise.where(zero, 0, power and safe ^ power or safe:sqrt())
end

function T.std(x, axis, keepdim, opts)
  options.check("std", opts, spread_options)
  reduced(x, "std", axis, keepdim)
  -- in float64, where squares of float32 neither overflow nor vanish
  return root(T.var(x:to "float64", axis, keepdim, opts)):to(x:dtype())
end

function T.count_nonzero(x, axis, keepdim)
  reduced(x, "count_nonzero", axis, keepdim)
  return T.sum(x:ne(0), axis, keepdim)
end

--- The sum and the mean of what is not NaN; of nothing 0 and NaN.
function T.nansum(x, axis, keepdim)
  reduced(x, "nansum", axis, keepdim)
  return T.sum(elementwise.where(x:ne(x), 0, x), axis, keepdim)
end
function T.nanmean(x, axis, keepdim)
  reduced(x, "nanmean", axis, keepdim)
  return T.nansum(x, axis, keepdim) / T.sum(x:eq(x), axis, keepdim)
end

--- (sum of |x|^p)^(1/p): p = 2, 1, math.huge (the largest magnitude), -math.huge (the smallest), 0 (how many
-- are not 0) or any other number.
function T.norm(x, p, axis, keepdim)
  p = arguments.number("norm", "p", p == nil and 2 or p)
  reduced(x, "norm", axis, keepdim)
  if p ~= p then raise("norm: p must be a number, got nan") end
  if p == 0 then return T.count_nonzero(x, axis, keepdim):to(x:dtype()) end
  if p == 1 then return T.sum(x:abs(), axis, keepdim) end
  if p == math.huge then return T.max(x:abs(), axis, keepdim) end
  if p == -math.huge then return T.min(x:abs(), axis, keepdim) end
  local wide = x:to "float64" -- where squares of float32 neither overflow nor vanish
  if p == 2 then return root(T.sum(wide:square(), axis, keepdim)):to(x:dtype()) end
  if p > 0 then return root(T.sum(root(wide:abs(), p), axis, keepdim), 1 / p):to(x:dtype()) end
  local zero = wide:eq(0) -- one of them makes the norm 0
  local of_others = T.sum(elementwise.where(zero, 1, wide:abs()) ^ p, axis, keepdim) ^ (1 / p)
  return elementwise.where(T.sum(zero, axis, keepdim):gt(0), 0, of_others):to(x:dtype())
end

-- Halves are multiplied with each other until one is left: no division, so that derivatives are right beside
-- zeros, and rounding grows with the logarithm of the length.
local function product_along(x, axis)
  local n, odd = x:shape()[axis], nil
  if n == 0 then return T.sum(x, axis, true):eq(0):to(x:dtype()) end
  while n > 1 do
    local half = n // 2
    if n % 2 == 1 then
      local last = x:slice(axis, n, n)
      odd = odd and odd * last or last
    end
    x, n = x:slice(axis, 1, half) * x:slice(axis, half + 1, 2 * half), half
  end
  return odd and x * odd or x
end

function T.prod(x, axis, keepdim)
  local mask, rest = reduced(x, "prod", axis, keepdim)
  x = arguments.wide(x)
  for i = 1, x:rank() do
    if mask >> (i - 1) & 1 == 1 then x = product_along(x, i) end
  end
  return keepdim and x or apply("reshape", rest, x)
end

local function arg_reduction(name)
  return function(x, axis, keepdim)
    local rank = check_tensor(x, name):rank()
    options.flag(name, "keepdim", keepdim)
    if axis == nil then
      local ones = {}
      for i = 1, keepdim and rank or 0 do ones[i] = 1 end
      return apply("reshape", ones, apply(name, {0}, x:reshape{-1}))
    end
    local at = arguments.axis(name, axis, rank)
    local y = apply(name, {at}, x)
    if keepdim then return y end
    local shape = y:shape()
    table.remove(shape, at + 1)
    return apply("reshape", shape, y)
  end
end
T.argmax, T.argmin = arg_reduction "argmax", arg_reduction "argmin"

-- Of an empty set all are true, any is not. The comparison comes last, so that in a condition it gives a
-- boolean.
function T.all(x, axis, keepdim)
  local _, _, count = reduced(x, "all", axis, keepdim)
  local zero = x:eq(0)
  return (count == 0 and T.sum or T.max)(zero, axis, keepdim):eq(0)
end
function T.any(x, axis, keepdim)
  local _, _, count = reduced(x, "any", axis, keepdim)
  local other = x:ne(0)
  return (count == 0 and T.sum or T.max)(other, axis, keepdim):ne(0)
end

local PRODUCTS_AT_ONCE = 1 << 20

-- Of integers {..., m, k} and {..., k, n}, exact modulo 2^64; so many products are made at a time.
local function integer_product(x, y)
  x, y = arguments.wide(x), arguments.wide(y)
  local sx, sy = x:shape(), y:shape()
  local m, k, n = sx[#sx - 1], sx[#sx], sy[#sy]
  if sy[#sy - 1] ~= k then
    raise(("matmul: inner sizes differ, %d and %d (shapes {%s} and {%s})"):format(k, sy[#sy - 1],
      table.concat(sx, ", "), table.concat(sy, ", ")))
  end
  x, y = x:unsqueeze(-1), y:unsqueeze(-3)
  if k == 0 then return T.sum(x * y, -2) end
  local step = math.max(1, PRODUCTS_AT_ONCE // math.max(1, x:numel() // k * n, y:numel() // k * m))
  local z
  for first = 1, k, step do
    local last = math.min(k, first + step - 1)
    local part = T.sum(x:slice(-2, first, last) * y:slice(-2, first, last), -2)
    z = z and z + part or part
  end
  return z
end

local function matrix_product(x, y)
  if x:dtype():find "float" or y:dtype():find "float" then return apply("matmul", {0, 0}, x, y) end
  return integer_product(x, y)
end

--- NumPy's matmul: 1-D operands are a row on the left, a column on the right, and their axis disappears from
-- the result.
function T.matmul(x, y)
  check_tensor(x, "matmul")
  check_tensor(y, "matmul")
  local rx, ry = x:rank(), y:rank()
  if rx == 0 or ry == 0 then raise("matmul: scalars (shape {}) are multiplied with *") end
  if rx >= 2 and ry >= 2 then return matrix_product(x, y) end
  local z = matrix_product(rx == 1 and x:reshape{1, -1} or x, ry == 1 and y:reshape{-1, 1} or y)
  local shape = z:shape()
  if ry == 1 then table.remove(shape) end
  if rx == 1 then table.remove(shape, ry == 1 and #shape or #shape - 1) end
  return z:reshape(shape)
end

-- x less its largest element along the axis, which changes neither the value nor the derivative; the axis, by
-- default the last one.
local function shifted(where, x, axis)
  if check_tensor(x, where):rank() > 0 and axis == nil then axis = -1 end
  if x:numel() == 0 then return x, axis end
  return x - apply("max", {(reduced(x, where, axis))}, x:stop_gradient()):stop_gradient(), axis
end

function T.logsumexp(x, axis, keepdim)
  local mask, rest, count = reduced(x, "logsumexp", axis, keepdim)
  local top = count == 0 and apply("sum", {mask}, x) or apply("max", {mask}, x:stop_gradient())
  -- an infinite maximum must not make NaN of inf - inf
  top = elementwise.where(top:abs():lt(math.huge), top, 0)
  local y = apply("sum", {mask}, (x - top):exp()):log() + top
  return keepdim and y or apply("reshape", rest, y)
end

function T.softmax(x, axis)
  local s, along = shifted("softmax", x, axis)
  local e = s:exp()
  return e / T.sum(e, along, true)
end

function T.log_softmax(x, axis)
  local s, along = shifted("log_softmax", x, axis)
  return s - T.sum(s:exp(), along, true):log()
end

-- Of integers, which may lie far from 0 and near each other, fractions are computed in float64, and given in
-- the default dtype.
for _, name in ipairs{"mean", "nanmean", "var", "std", "norm", "logsumexp", "softmax", "log_softmax"} do
  local of_floats = T[name]
  T[name] = function(x, ...)
    local whole = tree.is_tensor(x) and not x:dtype():find "float"
    if not whole then return of_floats(x, ...) end -- which also refuses what is no tensor
    return of_floats(x:to "float64", ...):to(arguments.dtype_rule.default)
  end
end
