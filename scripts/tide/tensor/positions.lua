--- Elements by their positions, 1-based, and by masks: take, gather, scatter_add, masked_select, nonzero.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local elementwise = require "tide.tensor.elementwise"
local tree = require "tide.base.tree"

local M = {}           -- functions of the module
local T = core.methods -- methods of tensors
local apply, raise = core.apply, core.raise
local is_tensor, check_tensor = tree.is_tensor, tree._check_tensor

local function positions_of(where, given)
  if type(given) == "table" then return core.tensor_from(given, "int64") end
  return check_tensor(given, where .. ": positions")
end

--- For the library: can a result whose shape depends on the numbers of x be had? An error says why not.
-- Returns a value to be closed: until then nothing is recorded.
function M._concrete(where, x)
  if core.is_symbolic(x) then
    raise(where .. ": the size of the result depends on numbers, and what is being recorded has fixed shapes"
      .. "; keep the shape with tide.where or x:masked_fill, or find the positions outside and use x:take")
  elseif core.is_program() then
    raise(where .. ": the result would be that of the first call for ever, since its shape is recorded once; "
      .. "compute it outside of the compiled function and pass it as an argument (of a mask the "
      .. "positions that mask:nonzero() gives, for x:take)")
  end
  return core.tape_begin("nothing")
end
local concrete = M._concrete

--- Elements at the given 1-based positions (an int64 tensor of any shape, or a table) along an axis (default
-- 1): in the result the axes of the positions stand in its place.
function T.take(x, positions, axis)
  local shape = check_tensor(x, "take"):shape()
  local at = arguments.axis("take", axis or 1, #shape)
  positions = positions_of("take", positions)
  if positions:rank() == 1 then return apply("take", {at}, x, positions) end
  local wanted = table.move(positions:shape(), 1, positions:rank(), at + 1, table.move(shape, 1, at, 1, {}))
  table.move(shape, at + 2, #shape, #wanted + 1, wanted)
  return apply("take", {at}, x, positions:reshape{positions:numel()}):reshape(wanted)
end

--- PyTorch's order of arguments, and its one axis of positions.
function T.index_select(x, axis, positions)
  positions = positions_of("index_select", positions)
  if positions:rank() ~= 1 then
    raise(("index_select: positions must have one axis, got shape %s; x:take takes any"):format(
      tree._shape_text(positions)))
  end
  return T.take(check_tensor(x, "index_select"), positions, arguments.axis("index_select", axis,
    x:rank()) + 1)
end

-- The first elements of x along all axes but `at`, as many as the positions have.
local function trimmed(where, x, positions, at, name)
  local shape, wanted = x:shape(), positions:shape()
  if #wanted ~= #shape then
    raise(("%s: positions of shape %s do not fit %s of shape %s: both need the same number of axes"):format(
      where, tree._shape_text(positions), name, tree._shape_text(x)))
  end
  for i, n in ipairs(wanted) do
    if i ~= at and n > shape[i] then
      raise(("%s: positions of shape %s are more along axis %d than %s of shape %s has"):format(where,
        tree._shape_text(positions), i, name, tree._shape_text(x)))
    end
    if i ~= at and n < shape[i] then x = x:slice(i, 1, n) end
  end
  return x
end

-- x of rank 0 as a vector, for ops along an axis; the axis, from 1.
local function lines(where, x, axis)
  if check_tensor(x, where):rank() == 0 then x = x:reshape{1} end
  return x, arguments.axis(where, axis, x:rank()) + 1
end

--- Element {i, j} of the result is x[positions[i][j]][j] for axis 1, x[i][positions[i][j]] for axis 2, and so
-- on.
function T.gather(x, axis, positions)
  local vector, at = lines("gather", x, axis)
  positions = positions_of("gather", positions)
  local shape = positions:shape()
  if x:rank() == 0 and #shape == 0 then positions = positions:reshape{1} end
  vector = trimmed("gather", vector, positions, at, "a tensor")
  return apply("gather", {at - 1}, vector, positions):reshape(shape)
end

--- x with element {i, j} of src added at {positions[i][j], j} for axis 1, at {i, positions[i][j]} for axis 2,
-- and so on. The first elements of src are taken, as many as there are positions.
function T.scatter_add(x, axis, positions, src)
  local vector, at = lines("scatter_add", x, axis)
  positions = positions_of("scatter_add", positions)
  if check_tensor(src, "scatter_add: src"):dtype() ~= x:dtype() then
    raise(('scatter_add: src must be %s as the tensor is, got %s; convert it with src:to("%s")'):format(
      x:dtype(), src:dtype(), x:dtype()))
  end
  if x:rank() == 0 then
    positions = positions:rank() == 0 and positions:reshape{1} or positions
    src = src:rank() == 0 and src:reshape{1} or src
  end
  trimmed("scatter_add", vector, positions, at, "a tensor")
  src = trimmed("scatter_add", src, positions, nil, "src")
  local shape, given = vector:shape(), positions:shape()
  local added, attrs, whole = apply("scatter_add", {at - 1, shape[at]}, src, positions), {}, true
  for i, n in ipairs(shape) do
    attrs[#attrs + 1], attrs[#attrs + 2], attrs[#attrs + 3] = 0, 1, n
    whole = whole and (i == at or given[i] == n)
  end
  if not whole then added = apply("embed", attrs, added) end
  return x + added:reshape(x:shape())
end

-- ---- masks ----

local function check_mask(where, mask)
  if check_tensor(mask, where .. ": mask"):dtype() ~= "uint8" then
    raise(("%s: the mask must be uint8, as comparisons give, got %s; mask:ne(0) makes one"):format(where,
      mask:dtype()))
  end
  return mask
end

--- x, and `value` where the mask is not 0; the mask broadcasts.
function T.masked_fill(x, mask, value)
  check_tensor(x, "masked_fill")
  if not is_tensor(value) then arguments.number("masked_fill", "value", value) end
  return elementwise.where(check_mask("masked_fill", mask), value, x)
end

-- The shape that both broadcast to.
local function common_shape(where, a, b)
  local p, q, shape = a:shape(), b:shape(), {}
  for i = 0, math.max(#p, #q) - 1 do
    local m, n = p[#p - i] or 1, q[#q - i] or 1
    if m ~= n and m ~= 1 and n ~= 1 then
      raise(("%s: a mask of shape %s does not broadcast with a tensor of shape %s"):format(where,
        tree._shape_text(b), tree._shape_text(a)))
    end
    table.insert(shape, 1, m == 1 and n or m)
  end
  return shape
end

local function flat(x) return x:reshape{x:numel()} end

--- A vector of the elements where the mask, which broadcasts with x, is not 0.
function T.masked_select(x, mask)
  check_tensor(x, "masked_select")
  check_mask("masked_select", mask)
  local shape, positions = common_shape("masked_select", x, mask), nil
  do
    local nothing <close> = concrete("masked_select", mask) -- luacheck: ignore nothing
    positions = core.nonzero(mask:broadcast_to(shape))
  end
  return apply("take", {0}, flat(x:broadcast_to(shape)), positions)
end

--- x[key] of a tensor: rows at positions, a table or an int64 tensor, or where a mask, which has the shape of
-- the first axes, is not 0.
function T._at(x, key)
  key = positions_of("x[positions]", key)
  local dtype = key:dtype()
  if dtype == "int64" then return T.take(x, key) end
  check_mask("x[mask]", key)
  local shape, given, positions = x:shape(), key:shape(), nil
  local rest = table.move(shape, #given + 1, #shape, 2, {})
  for i, n in ipairs(given) do
    if shape[i] ~= n then
      raise(("x[mask]: a mask of shape %s does not fit the first axes of a tensor of shape %s; "
        .. "x:masked_select broadcasts"):format(tree._shape_text(key), tree._shape_text(x)))
    end
  end
  do
    local nothing <close> = concrete("x[mask]", key) -- luacheck: ignore nothing
    positions = core.nonzero(key)
  end
  rest[1] = positions:numel()
  local joined = table.move(shape, #given + 1, #shape, 2, {key:numel()})
  return apply("take", {0}, x:reshape(joined), positions):reshape(rest)
end

-- `value` as {count, rest...}, one for each row that is set.
local function rows_of(x, key, value, count)
  local shape, rank = x:shape(), key:dtype() == "int64" and 1 or key:rank()
  local rest = table.move(shape, rank + 1, #shape, 2, {count})
  if key:dtype() == "int64" and value:rank() > #rest then value = value:reshape(rest) end
  local want = table.concat(rest, ", ")
  local ok, rows = pcall(T.broadcast_to, value, rest)
  if not ok then
    raise(("x[%s] = v: %d places of shape {%s} cannot be set to a tensor of shape %s"):format(key:dtype()
      == "int64" and "positions" or "mask", count, want:match("^%d+, (.*)$") or "", tree._shape_text(value)))
  end
  return rows:to(x:dtype())
end

--- x[key] = value for a tensor key, as _at reads them: all of it or, after an error, nothing.
function T._put(x, key, value)
  key = positions_of("x[positions] = v", key)
  if not is_tensor(value) then arguments.number("x[mask] = v", "v", value) end
  if key:dtype() == "int64" then
    local new, flat_at = x:clone(), flat(key):totable()
    local rows = is_tensor(value) and rows_of(x, key, value, #flat_at)
    for i, at in ipairs(flat_at) do new[at] = rows and rows[i] or value end
    x:copy_(new)
    return
  end
  local chosen, shape = T._at(x, key), key:shape() -- checks the mask
  for i = #shape + 1, x:rank() do shape[i] = 1 end
  local mask = key:reshape(shape)
  if is_tensor(value) then
    if #chosen == 0 then return end
    local place = flat(key):ne(0):to("int64"):cumsum():maximum(1)
    value = rows_of(x, key, value, #chosen):take(place):reshape(x:shape())
  end
  x:copy_(T.masked_fill(x, mask, value))
end

--- int64 {count, rank}: the 1-based positions of the elements that are not 0, in row-major order.
function T.nonzero(x)
  local nothing <close> = concrete("nonzero", check_tensor(x, "nonzero")) -- luacheck: ignore nothing
  local shape, flat_at, columns = x:shape(), core.nonzero(x), {}
  local left = flat_at:totable()
  for axis = #shape, 1, -1 do
    local column = {}
    for i, at in ipairs(left) do
      column[i] = (at - 1) % shape[axis] + 1
      left[i] = (at - 1) // shape[axis] + 1
    end
    columns[axis] = core.tensor_from(column, "int64"):reshape{#left, 1}
  end
  if #shape == 0 then return core.full({#left, 0}, 0, "int64") end
  return apply("cat", {1}, table.unpack(columns))
end

return M
