--- Tensors for Lua: creation, indexing arithmetic (1-based, negative axes from the end), and everything
-- composed of the engine's ops.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}            -- functions of the module
local T = core.methods  -- methods of tensors
local apply, raise = core.apply, core.raise
local is_tensor, check_tensor, integer = tree.is_tensor, tree._check_tensor, options.integer

-- ---- arguments ----

M._dtype_rule = {"string", default = core.default_dtype()}
local creation = {dtype = M._dtype_rule, seed = {"integer"}}

-- dtype of numbers that stand alone, where a tensor is wanted: the default one; inside an eager field that of
-- the state.
local number_dtype = core.default_dtype()

local function creation_options(where, opts)
  if opts == nil then return {dtype = M._dtype_rule.default} end
  return options.check("tide." .. where, opts, creation, 3)
end

--- The dtype of new tensors, "float32" at first, or "float64"; also of nn's weights. Tensors that exist keep
-- theirs.
function M.set_default_dtype(dtype)
  if dtype ~= "float32" and dtype ~= "float64" then
    raise('tide.set_default_dtype: the dtype is "float32" or "float64", got ' .. options.show(dtype))
  end
  number_dtype = core.default_dtype(dtype)
  M._dtype_rule.default = dtype
end
function M.get_default_dtype() return M._dtype_rule.default end

local function check_shape(where, shape)
  if type(shape) ~= "table" then
    raise(("tide.%s: shape must be a table such as {2, 3}, got %s"):format(where, options.show(shape)))
  end
  return shape
end

local function check_number(where, name, v)
  if type(v) ~= "number" then
    raise(("%s: %s must be a number, got %s"):format(where, name, options.show(v)))
  end
  return v
end

-- 0-based axis from a 1-based one; negative ones count from the end.
local function axis_index(where, axis, rank)
  local a = integer(axis)
  if not a or a == 0 or a > rank or a < -rank then
    raise(("%s: axis must be an integer in 1..%d or -%d..-1, got %s"):format(where, rank, rank,
      options.show(axis)))
  end
  return a > 0 and a - 1 or rank + a
end

-- ---- creation ----

function M.tensor(values, opts)
  local o = creation_options("tensor", opts)
  if is_tensor(values) then return opts and opts.dtype and values:to(o.dtype):clone() or values:clone() end
  local kind = type(values)
  if kind ~= "table" and kind ~= "number" and kind ~= "boolean" then
    raise("tide.tensor: expected a nested table, a number or a tensor, got " .. options.show(values))
  end
  return core.tensor_from(values, o.dtype)
end

function M.full(shape, value, opts)
  return core.full(check_shape("full", shape), check_number("tide.full", "value", value),
    creation_options("full", opts).dtype)
end
function M.zeros(shape, opts)
  return core.full(check_shape("zeros", shape), 0, creation_options("zeros", opts).dtype)
end
function M.ones(shape, opts)
  return core.full(check_shape("ones", shape), 1, creation_options("ones", opts).dtype)
end
function M.zeros_like(x) return core.full(check_tensor(x, "tide.zeros_like"):shape(), 0, x:dtype()) end
function M.ones_like(x) return core.full(check_tensor(x, "tide.ones_like"):shape(), 1, x:dtype()) end

function M.randn(shape, opts)
  local o = creation_options("randn", opts)
  return core.random("normal", check_shape("randn", shape), o.dtype, o.seed)
end
function M.rand(shape, opts)
  local o = creation_options("rand", opts)
  return core.random("uniform", check_shape("rand", shape), o.dtype, o.seed)
end

--- A random permutation of 1..n, int64.
function M.randperm(n, opts)
  local o = creation_options("randperm", opts)
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
  check_number("tide.arange", "first", first)
  check_number("tide.arange", "last", last)
  step = step == nil and 1 or check_number("tide.arange", "step", step)
  if step == 0 or step ~= step then raise("tide.arange: step must not be 0") end
  local n = (last - first) / step
  if n ~= n or n > 2 ^ 31 - 2 then
    raise(("tide.arange: %s..%s in steps of %s has too many elements"):format(options.show(first),
      options.show(last), options.show(step)))
  end
  -- as in Lua's for; a float step gets the last element in spite of rounding
  return core.arange(first, step, math.max(0, math.floor(n + 1e-9 * math.abs(n)) + 1),
    creation_options("arange", opts).dtype)
end

function M.linspace(a, b, n, opts)
  check_number("tide.linspace", "a", a)
  check_number("tide.linspace", "b", b)
  if not integer(n) or n < 1 then
    raise("tide.linspace: n must be an integer >= 1, got " .. options.show(n))
  end
  local o = creation_options("linspace", opts)
  return core.arange(a, n > 1 and (b - a) / (n - 1) or 0, integer(n), o.dtype, n > 1 and b or nil)
end

function M.eye(n, opts)
  if not integer(n) or n < 0 then raise("tide.eye: n must be an integer >= 0, got " .. options.show(n)) end
  local i = core.arange(1, 1, integer(n), "int64")
  return i:reshape{n, 1}:eq(i):to(creation_options("eye", opts).dtype)
end

-- ---- shapes ----

function T.reshape(x, shape)
  local rank_hole, known, wanted = nil, 1, {}
  check_tensor(x, "reshape")
  check_shape("reshape", shape)
  for i, n in ipairs(shape) do
    wanted[i] = n
    if n == -1 then
      if rank_hole then raise("reshape: only one axis can be -1") end
      rank_hole = i
    elseif integer(n) then
      known = known * integer(n)
    end
  end
  if rank_hole then
    local numel = x:numel()
    if known == 0 or numel % known ~= 0 then
      raise(("reshape: %d elements cannot be arranged as {%s}"):format(numel, table.concat(shape, ", ")))
    end
    wanted[rank_hole] = numel // known
  end
  return apply("reshape", wanted, x)
end

function T.transpose(x, a, b)
  local order, rank = {}, check_tensor(x, "transpose"):rank()
  if a == nil and b == nil then a, b = -2, -1 end
  a, b = axis_index("transpose", a, rank), axis_index("transpose", b, rank)
  for i = 1, rank do order[i] = i - 1 end
  order[a + 1], order[b + 1] = b, a
  return apply("permute", order, x)
end

function T.permute(x, order)
  local zero, rank = {}, check_tensor(x, "permute"):rank()
  for i, a in ipairs(check_shape("permute", order)) do zero[i] = axis_index("permute", a, rank) end
  return apply("permute", zero, x)
end

function T.broadcast_to(x, shape) return apply("broadcast", check_shape("broadcast_to", shape), x) end

local function slice_attrs(shape, axis, start, step, length)
  local attrs = {}
  for i, n in ipairs(shape) do
    local own = i == axis + 1
    attrs[#attrs + 1] = own and start or 0
    attrs[#attrs + 1] = own and step or 1
    attrs[#attrs + 1] = own and length or n
  end
  return attrs
end

--- Elements first, first + step, ..., last (inclusive) along an axis; negative positions count from the end,
-- as in string.sub.
function T.slice(x, axis, first, last, step)
  local shape = check_tensor(x, "slice"):shape()
  axis = axis_index("slice", axis, #shape)
  local n = shape[axis + 1]
  step = step == nil and 1 or step
  local forward = type(step) ~= "number" or step > 0
  if first == nil then first = forward and 1 or n end
  if last == nil then last = forward and n or 1 end
  for _, given in ipairs{{"first", first}, {"last", last}, {"step", step}} do
    local v = integer(given[2])
    if not v or v > 2 ^ 31 or v < -2 ^ 31 then
      raise(("slice: %s must be an integer of at most 2^31, got %s"):format(given[1], options.show(given[2])))
    end
  end
  if step == 0 then raise("slice: step must not be 0") end
  if first < 0 then first = n + first + 1 end
  if last < 0 then last = n + last + 1 end
  local length = math.max(0, (last - first) // step + 1)
  if length > 0 and (first < 1 or first > n or last < 1 or last > n) then
    raise(("slice: positions %d..%d lie outside 1..%d (axis %d of shape {%s})"):format(first, last, n,
      axis + 1, table.concat(shape, ", ")))
  end
  return apply("slice", slice_attrs(shape, axis, length > 0 and integer(first) - 1 or 0, integer(step),
    integer(length)), x)
end

--- Element i along an axis, without that axis: x:select(1, i) of a 1-D tensor is a tensor of shape {}, where
-- x[i] is a number.
function T.select(x, axis, i)
  local shape = check_tensor(x, "select"):shape()
  local at = axis_index("select", axis, #shape)
  local n, position = shape[at + 1], integer(i)
  if not position or position == 0 or position > n or position < -n then
    raise(("select: the position along axis %d must be an integer in 1..%d or -%d..-1, got %s"):format(at + 1,
      n, n, options.show(i)))
  end
  local part = apply("slice", slice_attrs(shape, at, position > 0 and position - 1 or n + position, 1, 1), x)
  table.remove(shape, at + 1)
  return apply("reshape", shape, part)
end

--- Rows at the given 1-based positions (a 1-D int64 tensor or a table) along an axis (default 1).
function T.take(x, positions, axis)
  if type(positions) == "table" then positions = core.tensor_from(positions, "int64") end
  return apply("take", {axis_index("take", axis or 1, check_tensor(x, "take"):rank())}, x,
    check_tensor(positions, "take: positions"))
end

local function check_list(where, list)
  if type(list) ~= "table" or #list == 0 then
    raise(("tide.%s: expected a list of tensors, got %s"):format(where, options.show(list)))
  end
  for _, x in ipairs(list) do check_tensor(x, "tide." .. where) end
  return list
end

function M.cat(list, axis)
  check_list("cat", list)
  return apply("cat", {axis_index("tide.cat", axis or 1, list[1]:rank())}, table.unpack(list))
end

--- For ode.lua: set the dtype of lone numbers; returns the old one.
function M._number_dtype(dtype)
  local old = number_dtype
  number_dtype = dtype
  return old
end

-- Numbers in a list become scalars of the dtype of the tensors beside them: y[1] of a 1-D tensor is a number,
-- of a recorded one a tensor.
local function numbers_to_tensors(list, dtype)
  local out
  if type(list) ~= "table" then return list end
  for i, x in ipairs(list) do
    if type(x) == "number" then
      if not out then
        out = table.move(list, 1, #list, 1, {})
        for _, y in ipairs(list) do dtype = dtype or is_tensor(y) and y:dtype() end
      end
      out[i] = core.full({}, x, dtype or number_dtype)
    end
  end
  return out or list
end

--- Join tensors (or numbers) of one shape along a new axis. dtype: of the result.
function M.stack(list, axis, opts)
  if type(axis) == "table" then axis, opts = nil, axis end
  local o = options.check("tide.stack", opts, {dtype = {"string"}})
  list = numbers_to_tensors(list, o.dtype)
  local columns, rank = {}, check_list("stack", list)[1]:rank() + 1
  local at = axis_index("tide.stack", axis or 1, rank) + 1
  for i, x in ipairs(list) do
    local shape = x:shape()
    table.insert(shape, math.min(at, #shape + 1), 1)
    columns[i] = (o.dtype and x:to(o.dtype) or x):reshape(shape)
  end
  return M.cat(columns, at)
end

-- ---- reductions ----

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
    local bit = 1 << axis_index(where, axis, rank)
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
    if name == "sum" and x:dtype() == "uint8" then x = x:to("int64") end -- comparisons are counted with sum
    local y = apply(name, {mask}, x)
    return keepdim and y or apply("reshape", rest, y)
  end
end
T.sum, T.max, T.min = reduction "sum", reduction "max", reduction "min"

function T.mean(x, axis, keepdim)
  local mask, rest, count = reduced(x, "mean", axis, keepdim)
  local dtype = x:dtype()
  if dtype == "int64" or dtype == "uint8" then x = x:to(M._dtype_rule.default) end
  local y = apply("sum", {mask}, x) / count
  return keepdim and y or apply("reshape", rest, y)
end

--- Variance over axes: mean of squared deviations (divisor n), as numpy.var.
function T.var(x, axis, keepdim)
  reduced(x, "var", axis, keepdim)
  local centred = x - T.mean(x, axis, true)
  return T.mean(centred:square(), axis, keepdim)
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
    local at = axis_index(name, axis, rank)
    local y = apply(name, {at}, x)
    if keepdim then return y end
    local shape = y:shape()
    table.remove(shape, at + 1)
    return apply("reshape", shape, y)
  end
end
T.argmax, T.argmin = arg_reduction "argmax", arg_reduction "argmin"

-- Counts first: of an empty set all are true, any is not. The comparison comes last, so that in a condition
-- it gives a boolean.
function T.all(x, axis, keepdim)
  reduced(x, "all", axis, keepdim)
  return T.sum(x:eq(0), axis, keepdim):eq(0)
end
function T.any(x, axis, keepdim)
  reduced(x, "any", axis, keepdim)
  return T.sum(x:ne(0), axis, keepdim):gt(0)
end

-- ---- composites ----

--- NumPy's matmul: 1-D operands are a row on the left, a column on the right, and their axis disappears from
-- the result.
function T.matmul(x, y)
  check_tensor(x, "matmul")
  check_tensor(y, "matmul")
  local rx, ry = x:rank(), y:rank()
  if rx == 0 or ry == 0 then raise("matmul: scalars (shape {}) are multiplied with *") end
  if rx >= 2 and ry >= 2 then return apply("matmul", {0, 0}, x, y) end
  local z = apply("matmul", {0, 0}, rx == 1 and x:reshape{1, -1} or x, ry == 1 and y:reshape{-1, 1} or y)
  local shape = z:shape()
  if ry == 1 then table.remove(shape) end
  if rx == 1 then table.remove(shape, ry == 1 and #shape or #shape - 1) end
  return z:reshape(shape)
end

-- Shifted by the largest element, which changes neither the value nor the derivative.
local function shifted(x, axis)
  if x:numel() == 0 then return x end
  return x - apply("max", {(reduced(x, "softmax", axis))}, x:stop_gradient()):stop_gradient()
end

function T.logsumexp(x, axis, keepdim)
  local mask, rest, count = reduced(x, "logsumexp", axis, keepdim)
  local top = count == 0 and apply("sum", {mask}, x) or apply("max", {mask}, x:stop_gradient())
  -- an infinite maximum must not make NaN of inf - inf
  top = M.where(top:abs():lt(math.huge), top, 0)
  local y = apply("sum", {mask}, (x - top):exp()):log() + top
  return keepdim and y or apply("reshape", rest, y)
end

function T.softmax(x, axis)
  local e = shifted(x, axis or -1):exp()
  return e / T.sum(e, axis or -1, true)
end

function T.log_softmax(x, axis)
  local s = shifted(x, axis or -1)
  return s - T.sum(s:exp(), axis or -1, true):log()
end

function M.where(condition, a, b)
  if type(condition) == "boolean" then -- not taken: == between tensors gives false, whatever they hold
    raise(("tide.where: expected a tensor, got %s; == never looks into tensors: write x:eq(y). Two numbers "
      .. "compare to a boolean: write c and a or b")
      :format(condition))
  end
  if is_tensor(condition) and condition:dtype() ~= "uint8" then condition = condition:ne(0) end
  if not is_tensor(a) and not is_tensor(b) then
    a = core.full({}, check_number("tide.where", "value", a), number_dtype)
  end
  return apply("where", {}, check_tensor(condition, "tide.where"), a, b)
end

function M.one_hot(labels, classes, opts)
  local dtype = creation_options("one_hot", opts).dtype
  return apply("one_hot", {classes, dtype == "float64" and 1 or 0}, check_tensor(labels, "tide.one_hot")):to(
    dtype)
end

function T.clamp(x, low, high)
  check_tensor(x, "clamp")
  if low then x = x:maximum(low) end
  return high and x:minimum(high) or x
end

function T.flatten(x, first)
  local shape, at = check_tensor(x, "flatten"):shape(), axis_index("flatten", first or 1, x:rank())
  -- not -1, which has no answer where there is nothing
  local wanted, rest = table.move(shape, 1, at, 1, {}), 1
  for i = at + 1, #shape do rest = rest * shape[i] end
  wanted[at + 1] = rest
  return x:reshape(wanted)
end

-- ---- losses: means over everything ----

local function same_shape(where, a, b)
  local sa, sb = check_tensor(a, where):shape(), check_tensor(b, where):shape()
  if table.concat(sa, ",") ~= table.concat(sb, ",") then
    raise(("%s: prediction and target must have one shape, got {%s} and {%s}"):format(where,
      table.concat(sa, ", "), table.concat(sb, ", ")))
  end
end

function M.mse(prediction, target)
  same_shape("tide.mse", prediction, target)
  return (prediction - target):square():mean()
end

--- Huber's loss with beta = 1 (PyTorch's smooth_l1): d^2/2 where |d| < 1, else |d| - 1/2.
function M.smooth_l1(prediction, target)
  same_shape("tide.smooth_l1", prediction, target)
  local d = (prediction - target):abs()
  return M.where(d:lt(1), d:square() * 0.5, d - 0.5):mean()
end

--- logits N,classes,...; labels 1-based int64 of shape N,...: mean of -log softmax at the label.
function M.cross_entropy(logits, labels)
  local shape, wanted = check_tensor(logits, "tide.cross_entropy"):shape(),
    check_tensor(labels, "tide.cross_entropy"):shape()
  local expected = table.move(shape, 3, #shape, 2, {shape[1]})
  if #shape < 2 or table.concat(wanted, ",") ~= table.concat(expected, ",") then
    raise(("tide.cross_entropy: logits have shape {%s}, so labels must have shape {%s}, got {%s}"):format(
      table.concat(shape, ", "),
      table.concat(expected, ", "), table.concat(wanted, ", ")))
  end
  local rank = #shape
  local order = {}
  for i = 1, rank do order[i] = i end
  table.insert(order, table.remove(order, 2))
  local log_p = T.log_softmax(rank > 2 and logits:permute(order) or logits, -1)
  -- chosen, not multiplied: 0 * -inf of a class that is ruled out would be NaN
  local picked = M.where(M.one_hot(labels, shape[2], {dtype = log_p:dtype()}), log_p, 0)
  return -picked:sum() / labels:numel()
end

-- ---- functions of numbers ----

function M.clamp(x, low, high)
  if type(x) ~= "number" or is_tensor(low) or is_tensor(high) then return T.clamp(x, low, high) end
  if low then x = T.maximum(x, low) end
  return high and T.minimum(x, high) or x
end

-- Every method is a function too: tide.sum(x) is x:sum(). Elementwise functions of numbers alone give a
-- number, comparisons a boolean, because 0 is true in Lua.
for name, method in pairs(T) do
  if M[name] == nil and name ~= "close" then M[name] = method end
end

return M
