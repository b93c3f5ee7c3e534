--- Elements in another arrangement: axes of size 1, split, flip, roll, tile, pad, grids.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}           -- functions of the module
local T = core.methods -- methods of tensors
local apply, raise = core.apply, core.raise
local is_tensor, check_tensor, integer = tree.is_tensor, tree._check_tensor, options.integer

local function list_of(v) return type(v) == "table" and v or {v} end

local function whole(where, name, v, least)
  local n = integer(v)
  if not n or n < least or n > 2 ^ 31 - 1 then
    raise(("%s: %s must be an integer of at least %d, got %s"):format(where, name, least, options.show(v)))
  end
  return n
end

-- 0-based axes of a list, each once; as a set.
local function axes_set(where, list, rank)
  local set = {}
  for _, axis in ipairs(list) do
    local at = arguments.axis(where, axis, rank)
    if set[at] then raise(("%s: axis %s is given twice"):format(where, options.show(axis))) end
    set[at] = true
  end
  return set
end

-- ---- axes ----

--- Without axes of size 1: all of them, or those given, which stay where they are longer.
function T.squeeze(x, axis)
  local shape, rest = check_tensor(x, "squeeze"):shape(), {}
  local set = axis ~= nil and axes_set("squeeze", list_of(axis), #shape)
  for i, n in ipairs(shape) do
    if n ~= 1 or set and not set[i - 1] then rest[#rest + 1] = n end
  end
  return x:reshape(rest)
end

--- One axis of size 1 more, that is axis `axis` of the result.
function T.unsqueeze(x, axis)
  local shape = check_tensor(x, "unsqueeze"):shape()
  table.insert(shape, arguments.axis("unsqueeze", axis, #shape + 1) + 1, 1)
  return x:reshape(shape)
end

--- A view with axes moved to new places, the others in their order.
function T.movedim(x, from, to)
  local rank = check_tensor(x, "movedim"):rank()
  local sources, targets, order, taken, moved = list_of(from), list_of(to), {}, {}, {}
  if #sources ~= #targets then
    raise(("movedim: there are %d axes and %d places for them"):format(#sources, #targets))
  end
  axes_set("movedim", sources, rank)
  axes_set("movedim", targets, rank)
  for i, source in ipairs(sources) do
    local at = arguments.axis("movedim", source, rank) + 1
    taken[arguments.axis("movedim", targets[i], rank) + 1], moved[at] = at, true
  end
  local next_axis = 1
  for i = 1, rank do
    if not taken[i] then
      while moved[next_axis] do next_axis = next_axis + 1 end
      taken[i], next_axis = next_axis, next_axis + 1
    end
    order[i] = taken[i]
  end
  return x:permute(order)
end

--- As broadcast_to, with -1 for axes that stay as they are.
function T.expand(x, shape)
  local own, wanted = check_tensor(x, "expand"):shape(), {}
  arguments.shape("expand", shape)
  if #shape < #own then
    raise(("expand: the shape has %d axes, fewer than the %d of the tensor"):format(#shape, #own))
  end
  for i, n in ipairs(shape) do
    wanted[i] = n
    local at = own[i - #shape + #own]
    if n ~= -1 and at and at ~= 1 and at ~= n then
      raise(("expand: axis %d has size %d and cannot become %s"):format(i - #shape + #own, at,
        options.show(n)))
    end
    if n == -1 then
      wanted[i] = own[i - #shape + #own]
      if not wanted[i] then raise(("expand: axis %d is new, so -1 says nothing about it"):format(i)) end
    end
  end
  return x:broadcast_to(wanted)
end

--- Element i of the last axis: a column of a matrix.
function T.column(x, i)
  if check_tensor(x, "column"):rank() == 0 then raise("column: a scalar tensor (shape {}) has no columns") end
  local n, at = x:shape()[x:rank()], integer(i)
  if n == 0 then raise("column: the last axis is empty") end
  if not at or at == 0 or math.abs(at) > n then
    raise(("column: i must be an integer in 1..%d or -%d..-1, got %s"):format(n, n, options.show(i)))
  end
  return x:select(-1, i)
end

-- ---- parts ----

--- A list of views, as many elements of an axis (default 1) as `sizes` says: a number (the last one may have
-- fewer) or a list.
function T.split(x, sizes, axis)
  local shape = check_tensor(x, "split"):shape()
  local at = arguments.axis("split", axis or 1, #shape) + 1
  local n, parts, first = shape[at], {}, 1
  local list = sizes
  if type(sizes) ~= "table" then
    local size = whole("split", "the size", sizes, 1)
    list = {}
    for i = 1, math.max(1, (n + size - 1) // size) do list[i] = math.min(size, n - (i - 1) * size) end
  end
  for i = 1, #list do
    local last = first + whole("split", "size " .. i, list[i], 0) - 1
    if last > n then break end
    parts[i], first = x:slice(at, first, last), last + 1
  end
  if first ~= n + 1 or #parts < #list then
    raise(("split: the sizes must add up to %d, the length of axis %d, got {%s}"):format(n, at,
      table.concat(list, ", ")))
  end
  return parts
end

--- At most n views of an axis (default 1), all of one length but for the last.
function T.chunk(x, n, axis)
  local shape = check_tensor(x, "chunk"):shape()
  local length = shape[arguments.axis("chunk", axis or 1, #shape) + 1]
  local count = whole("chunk", "the number of parts", n, 1)
  return T.split(x, math.max(1, (length + count - 1) // count), axis)
end

-- ---- order ----

--- A view that runs backwards along axes: one, a list, all.
function T.flip(x, axis)
  local rank = check_tensor(x, "flip"):rank()
  local all = {}
  for i = 1, rank do all[i] = i end
  for at in pairs(axes_set("flip", axis == nil and all or list_of(axis), rank)) do
    x = x:slice(at + 1, -1, 1, -1)
  end
  return x
end

local function roll_axis(x, shift, axis)
  local n = x:shape()[axis]
  local by = integer(shift)
  if not by then raise("roll: the shift must be an integer, got " .. options.show(shift)) end
  if n == 0 or by % n == 0 then return x end
  by = by % n
  return apply("cat", {axis - 1}, x:slice(axis, n - by + 1, n), x:slice(axis, 1, n - by))
end

--- Elements moved by `shift` places along an axis, those that fall off coming in again; lists of both;
-- without an axis all elements in row-major order.
function T.roll(x, shift, axis)
  local shape = check_tensor(x, "roll"):shape()
  if axis == nil then
    return roll_axis(x:reshape{x:numel()}, shift, 1):reshape(shape)
  end
  local shifts, axes = list_of(shift), list_of(axis)
  if #shifts ~= #axes then raise(("roll: there are %d shifts for %d axes"):format(#shifts, #axes)) end
  for i, by in ipairs(shifts) do x = roll_axis(x, by, arguments.axis("roll", axes[i], #shape) + 1) end
  return x
end

-- ---- copies ----

-- Axis `at` r times as long: the elements {outer, n, inner} as {outer, r, n, inner} or {outer, n, r, inner}.
local function repeated(x, at, r, each)
  local shape, outer, inner = x:shape(), 1, 1
  if r == 1 then return x end
  for i = 1, at - 1 do outer = outer * shape[i] end
  for i = at + 1, #shape do inner = inner * shape[i] end
  local n = shape[at]
  local before, behind = each and outer * n or outer, each and inner or n * inner
  shape[at] = n * r
  return x:reshape{before, 1, behind}:broadcast_to{before, r, behind}:reshape(shape)
end

--- x as often as `counts` says along each axis: NumPy's tile, PyTorch's repeat.
function T.tile(x, counts)
  local shape, list = check_tensor(x, "tile"):shape(), list_of(counts)
  for i = 1, #list do whole("tile", "count " .. i, list[i], 0) end
  local whole_shape = table.move(shape, 1, #shape, math.max(0, #list - #shape) + 1, {})
  for i = 1, #list - #shape do whole_shape[i] = 1 end
  x = x:reshape(whole_shape)
  for i = #list, 1, -1 do x = repeated(x, #whole_shape - #list + i, integer(list[i])) end
  return x
end

--- Each element of an axis (without one: of x in row-major order) so often: a number, or a list of numbers,
-- one for each.
function T.repeat_interleave(x, counts, axis)
  check_tensor(x, "repeat_interleave")
  if axis == nil then x, axis = x:reshape{x:numel()}, 1 end
  local at = arguments.axis("repeat_interleave", axis, x:rank()) + 1
  if is_tensor(counts) then counts = counts:totable() end
  if type(counts) ~= "table" then
    return repeated(x, at, whole("repeat_interleave", "the count", counts, 0), true)
  end
  local n, places = x:shape()[at], {}
  if #counts ~= n then
    raise(("repeat_interleave: there are %d counts for the %d elements of axis %d"):format(#counts, n, at))
  end
  for i, r in ipairs(counts) do
    for _ = 1, whole("repeat_interleave", "count " .. i, r, 0) do places[#places + 1] = i end
  end
  return x:take(places, at)
end

-- ---- pad ----

-- For the element at i of an axis of n, which may lie outside of 1..n, the one that stands there.
local inside = {
  replicate = function(i, n) return math.max(1, math.min(n, i)) end,
  circular = function(i, n) return (i - 1) % n + 1 end,
  reflect = function(i, n) return i < 1 and 2 - i or i > n and 2 * n - i or i end,
}
local least = {reflect = function(n) return n - 1 end, circular = function(n) return n end,
  replicate = function(n) return n > 0 and math.huge or 0 end}

local function with_value(x, at, before, behind, value)
  local shape, parts = x:shape(), {}
  local function block(n)
    shape[at] = n
    parts[#parts + 1] = core.full({}, value, x:dtype()):broadcast_to(shape)
  end
  if before > 0 then block(before) end
  parts[#parts + 1] = x
  if behind > 0 then block(behind) end
  return #parts > 1 and apply("cat", {at - 1}, table.unpack(parts)) or x
end

local function pad_axis(x, at, before, behind, o)
  local n = x:shape()[at]
  local first, last = math.max(1, 1 - before), math.min(n, n + behind)
  if last < first - 1 then
    raise(("pad: {%d, %d} cuts more than the %d elements of axis %d away"):format(before, behind, n, at))
  end
  if before < 0 or behind < 0 then x = x:slice(at, first, last) end
  before, behind, n = math.max(0, before), math.max(0, behind), last - first + 1
  if o.mode == "constant" then return with_value(x, at, before, behind, o.value) end
  if before + behind == 0 then return x end
  if math.max(before, behind) > least[o.mode](n) then
    raise(('pad: "%s" needs more elements than the %d of axis %d for widths of {%d, %d}'):format(o.mode, n,
      at, before, behind))
  end
  local places = {}
  for i = 1 - before, n + behind do places[#places + 1] = inside[o.mode](i, n) end
  return x:take(places, at)
end

local pad_spec = {
  mode = {"string", default = "constant", check = function(v)
    return v == "constant" or inside[v] ~= nil, '"constant", "reflect", "replicate" or "circular"'
  end},
  value = {"number", default = 0},
}

--- widths: {before, behind} of the last axis, then of the one before it, and so on; negative ones cut.
function T.pad(x, widths, opts)
  local rank, o = check_tensor(x, "pad"):rank(), options.check("tide.pad", opts, pad_spec)
  if type(widths) ~= "table" or #widths % 2 ~= 0 or #widths > 2 * rank then
    raise(("pad: widths must be a table of two numbers for each axis, beginning with the last, at most %d, "
      .. "got %s"):format(2 * rank, options.show(widths)))
  end
  for i = 1, #widths do
    if not integer(widths[i]) or math.abs(widths[i]) > 2 ^ 31 - 1 then
      raise(("pad: width %d must be an integer, got %s; widths is one list, {before, behind} of the last "
        .. "axis, then of the one before it"):format(i, options.show(widths[i])))
    end
  end
  for i = 1, #widths, 2 do
    x = pad_axis(x, rank - i // 2, integer(widths[i]), integer(widths[i + 1]), o)
  end
  return x
end

-- ---- grids ----

local grid_spec = {indexing = {"string", default = "ij", check = function(v)
  return v == "ij" or v == "xy", '"ij" or "xy"'
end}}

--- Of vectors x, y, ..., or a list of them, as many tensors, X[i][j] = x[i], Y[i][j] = y[j] and so on; "xy"
-- exchanges the first two axes.
function M.meshgrid(...)
  local list, opts = {...}, nil
  if #list > 0 and type(list[#list]) == "table" and not list[#list][1] then opts = table.remove(list) end
  if #list == 1 and type(list[1]) == "table" then list = {table.unpack(list[1])} end
  local o, shape = options.check("tide.meshgrid", opts, grid_spec), {}
  for i, x in ipairs(arguments.list("meshgrid", list)) do
    if x:rank() > 1 then
      raise(("tide.meshgrid: argument %d must be a vector, got shape %s"):format(i, tree._shape_text(x)))
    end
    shape[i] = x:numel()
  end
  for i, x in ipairs(list) do
    local own = {}
    for j = 1, #shape do own[j] = j == i and shape[j] or 1 end
    list[i] = x:reshape(own):broadcast_to(shape)
    if o.indexing == "xy" and #list > 1 then list[i] = list[i]:transpose(1, 2) end
  end
  return table.unpack(list)
end

return M
