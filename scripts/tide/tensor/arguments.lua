--- What functions of tensors are given: dtypes, shapes, numbers, axes; checked, with their defaults.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise, integer = core.raise, options.integer

--- The row "dtype" of every table of options that has one; set_default_dtype changes its default.
M.dtype_rule = {"string", default = core.default_dtype()}

local creation_spec = {dtype = M.dtype_rule, seed = {"integer"}}

-- dtype of numbers that stand alone, where a tensor is wanted: the default one; inside an eager field that of
-- the state.
local number_dtype = core.default_dtype()

--- A tensor of shape {} of the number x; dtype nil: that of numbers that stand alone.
function M.scalar(x, dtype) return core.full({}, x, dtype or number_dtype) end

--- Set the dtype of lone numbers; returns the old one.
function M.number_dtype(dtype)
  local old = number_dtype
  number_dtype = dtype
  return old
end

--- Options of a function that makes tensors, checked.
function M.creation(where, opts)
  if opts == nil then return {dtype = M.dtype_rule.default} end
  return options.check("tide." .. where, opts, creation_spec, 3)
end

--- The dtype of new tensors, "float32" at first, or "float64"; also of nn's weights. Tensors that exist keep
-- theirs.
function M.set_default_dtype(dtype)
  if dtype ~= "float32" and dtype ~= "float64" then
    raise('tide.set_default_dtype: the dtype is "float32" or "float64", got ' .. options.show(dtype))
  end
  number_dtype = core.default_dtype(dtype)
  M.dtype_rule.default = dtype
end
function M.get_default_dtype() return M.dtype_rule.default end

function M.shape(where, shape)
  if type(shape) ~= "table" then
    raise(("tide.%s: shape must be a table such as {2, 3}, got %s"):format(where, options.show(shape)))
  end
  return shape
end

function M.number(where, name, v)
  if type(v) ~= "number" then
    raise(("%s: %s must be a number, got %s"):format(where, name, options.show(v)))
  end
  return v
end

local least = {padding = 0, output_padding = 0}

--- v, an integer or a list of one for each axis of an image or a signal, as two numbers: a signal is an image
-- of one row, which gets `beside`. Paddings are at least 0, all else (a stride, a size) at least 1.
function M.per_axis(where, name, v, axes, beside)
  local list, out = type(v) == "table" and v or axes == 2 and {v, v} or {v}, {}
  for i = 1, axes do out[#out + 1] = integer(list[i]) end
  if #out ~= axes or #list ~= axes then
    raise(("%s: %s must be an integer%s, got %s"):format(where, name, axes == 2 and " or {h, w}" or "",
      #list == axes and options.show(list[1]) or ("a table of %d"):format(#list)))
  end
  if math.min(table.unpack(out)) < (least[name] or 1) then
    raise(("%s: %s must be at least %d, got %d"):format(where, name, least[name] or 1,
      math.min(table.unpack(out))))
  end
  if axes == 1 then return beside, out[1] end
  return out[1], out[2]
end

--- 0-based axis from a 1-based one; negative ones count from the end.
function M.axis(where, axis, rank)
  local a = integer(axis)
  if rank == 0 then
    raise(("%s: a scalar (shape {}) has no axes, got axis %s"):format(where, options.show(axis)))
  end
  if not a or a == 0 or a > rank or a < -rank then
    raise(("%s: axis must be an integer in 1..%d or -%d..-1, got %s"):format(where, rank, rank,
      options.show(axis)))
  end
  return a > 0 and a - 1 or rank + a
end

--- Do the shapes of two tensors broadcast? For functions made of ops, whose messages would name those.
function M.broadcasts(where, x, y)
  local a, b = x:shape(), y:shape()
  for i = 1, math.min(#a, #b) do
    local m, n = a[#a + 1 - i], b[#b + 1 - i]
    if m ~= n and m ~= 1 and n ~= 1 then
      raise(("%s: shapes %s and %s cannot be broadcast together: axis -%d has sizes %d and %d"):format(where,
        tree._shape_text(x), tree._shape_text(y), i, m, n))
    end
  end
end

--- x, or the numbers of an integer tensor as floats of the default dtype.
function M.float(x) return x:dtype():find "float" and x or x:to(M.dtype_rule.default) end

--- Differences and products of two uint8 tensors would wrap around: they are counted in int64.
function M.wide(x) return x:dtype() == "uint8" and x:to "int64" or x end

function M.list(where, list)
  if type(list) ~= "table" or #list == 0 then
    raise(("tide.%s: expected a list of tensors, got %s"):format(where, options.show(list)))
  end
  for i = 1, #list do tree._check_tensor(list[i], "tide." .. where) end
  return list
end

return M
