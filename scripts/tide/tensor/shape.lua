--- Shapes and positions, 1-based, negative ones from the end: reshape, axes, slices, joining.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}           -- functions of the module
local T = core.methods -- methods of tensors
local apply, raise = core.apply, core.raise
local is_tensor, check_tensor, integer = tree.is_tensor, tree._check_tensor, options.integer

function T.reshape(x, shape)
  local rank_hole, known, wanted = nil, 1, {}
  check_tensor(x, "reshape")
  arguments.shape("reshape", shape)
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
  a, b = arguments.axis("transpose", a, rank), arguments.axis("transpose", b, rank)
  for i = 1, rank do order[i] = i - 1 end
  order[a + 1], order[b + 1] = b, a
  return apply("permute", order, x)
end

function T.permute(x, order)
  local zero, rank = {}, check_tensor(x, "permute"):rank()
  for i, a in ipairs(arguments.shape("permute", order)) do zero[i] = arguments.axis("permute", a, rank) end
  return apply("permute", zero, x)
end

function T.broadcast_to(x, shape) return apply("broadcast", arguments.shape("broadcast_to", shape), x) end

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
  axis = arguments.axis("slice", axis, #shape)
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
  local at = arguments.axis("select", axis, #shape)
  local n, position = shape[at + 1], integer(i)
  if not position or position == 0 or position > n or position < -n then
    raise(("select: the position along axis %d must be an integer in 1..%d or -%d..-1, got %s"):format(at + 1,
      n, n, options.show(i)))
  end
  local part = apply("slice", slice_attrs(shape, at, position > 0 and position - 1 or n + position, 1, 1), x)
  table.remove(shape, at + 1)
  return apply("reshape", shape, part)
end

function T.flatten(x, first)
  if check_tensor(x, "flatten"):rank() == 0 and first == nil then return x:reshape{1} end
  local shape, at = check_tensor(x, "flatten"):shape(), arguments.axis("flatten", first or 1, x:rank())
  -- not -1, which has no answer where there is nothing
  local wanted, rest = table.move(shape, 1, at, 1, {}), 1
  for i = at + 1, #shape do rest = rest * shape[i] end
  wanted[at + 1] = rest
  return x:reshape(wanted)
end

function M.cat(list, axis)
  arguments.list("cat", list)
  return apply("cat", {arguments.axis("tide.cat", axis or 1, list[1]:rank())}, table.unpack(list))
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
      out[i] = arguments.scalar(x, dtype)
    end
  end
  return out or list
end

--- Join tensors (or numbers) of one shape along a new axis. dtype: of the result.
function M.stack(list, axis, opts)
  if type(axis) == "table" then axis, opts = nil, axis end
  local o = options.check("tide.stack", opts, {dtype = {"string"}})
  list = numbers_to_tensors(list, o.dtype)
  local columns, rank = {}, arguments.list("stack", list)[1]:rank() + 1
  local at = arguments.axis("tide.stack", axis or 1, rank) + 1
  for i, x in ipairs(list) do
    local shape = x:shape()
    table.insert(shape, math.min(at, #shape + 1), 1)
    columns[i] = (o.dtype and x:to(o.dtype) or x):reshape(shape)
  end
  return M.cat(columns, at)
end

return M
