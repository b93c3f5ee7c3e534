--- Triangles, diagonals, and sums of products: tril, triu, diag, outer, einsum, as PyTorch has them.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local T = core.methods
local apply, raise, check_tensor = core.apply, core.raise, tree._check_tensor

local FAR = (1 << 31) - 1 -- a diagonal beyond all

local function diagonal_number(where, k)
  if k == nil then return 0 end
  local n = options.integer(k)
  if not n or n > FAR or n < -FAR then
    raise(("%s: the diagonal must be an integer of at most 2^31, got %s"):format(where, options.show(k)))
  end
  return n
end

local function check_matrices(where, x)
  if check_tensor(x, where):rank() < 2 then
    raise(("%s: expected a matrix or a batch of them, got shape {%s}"):format(where,
      table.concat(x:shape(), ", ")))
  end
  return x
end

--- What lies on and below diagonal k (0 is the main one, 1 the one above), zeros elsewhere; on and above.
function T.tril(x, k)
  return apply("band", {-FAR, diagonal_number("tril", k)}, check_matrices("tril", x))
end
function T.triu(x, k)
  return apply("band", {diagonal_number("triu", k), FAR}, check_matrices("triu", x))
end

--- Of a matrix its diagonal k; of a vector the matrix that has it there.
function T.diag(x, k)
  k = diagonal_number("diag", k)
  local shape = check_tensor(x, "diag"):shape()
  if #shape == 1 then
    local n = shape[1] + math.abs(k)
    if n == 0 then return x:reshape{0, 0} end
    return apply("embed", {k >= 0 and k or -k * n, n + 1, n * n}, x):reshape{n, n}
  elseif #shape ~= 2 then
    raise(("diag: expected a vector or a matrix, got shape {%s}"):format(table.concat(shape, ", ")))
  end
  local m, n = shape[1], shape[2]
  local count = math.max(0, math.min(m + math.min(k, 0), n - math.max(k, 0)))
  if count == 0 then return x:reshape{m * n}:slice(1, 1, 0) end
  local first = (k >= 0 and k or -k * n) + 1
  return x:reshape{m * n}:slice(1, first, first + (count - 1) * (n + 1), n + 1)
end

--- All products of elements of two vectors: {#x, #y}.
function M.outer(x, y)
  for i = 1, 2 do
    local v = check_tensor(({x, y})[i], "tide.outer")
    if v:rank() ~= 1 then
      raise(("tide.outer: argument %d must be a vector, got shape {%s}"):format(i,
        table.concat(v:shape(), ", ")))
    end
  end
  return x:reshape{x:numel(), 1} * y:reshape{1, y:numel()}
end

-- ---- einsum ----
--
-- A plan is made of the equation and the shapes: steps {run, x, y or argument}, whose results are numbered
-- behind the operands. While it is made, a value is {at = its number, shape, names = {label of each
-- axis}}. Axes of "..." have the labels "1", "2", ... from the last one.

local EINSUM = "tide.einsum"

local function reshape(x, shape) return apply("reshape", shape, x) end
local function slice(x, list) return x:slice(table.unpack(list)) end
local function times(x, y) -- bytes are summed as integers, by the product of matrices
  return x:dtype() == "uint8" and y:dtype() == "uint8" and T.matmul(x, y) or x * y
end

local function emit(plan, shape, names, run, x, argument, y)
  plan.steps[#plan.steps + 1] = {run = run, x = x.at, y = y and y.at, argument = argument}
  return {at = plan.operands + #plan.steps, shape = shape, names = names}
end

local function same(a, b)
  for i = 1, math.max(#a, #b) do if a[i] ~= b[i] then return false end end
  return true
end

local function reshaped(plan, x, shape)
  return same(x.shape, shape) and x or emit(plan, shape, nil, reshape, x, shape)
end

local function labels_of(text, rank)
  local names = {}
  local letters = select(2, text:gsub("%a", ""))
  local rest, dots = text:gsub("%.%.%.", "")
  if rest:find "%A" or dots > 1 then
    raise(('%s: "%s" is no list of letters with at most one "..."'):format(EINSUM, text))
  end
  if dots == 0 and letters ~= rank or letters > rank then
    raise(('%s: "%s" names %d axes of a tensor with %d'):format(EINSUM, text, letters, rank))
  end
  local before, after = text:match("^(.-)%.%.%.(.*)$")
  for letter in (before or text):gmatch("%a") do names[#names + 1] = letter end
  for i = before and rank - letters or 0, 1, -1 do names[#names + 1] = tostring(i) end
  for letter in (after or ""):gmatch("%a") do names[#names + 1] = letter end
  return names
end

-- The labels of the result when the equation does not say: those of "...", then letters that appear once, in
-- order.
local function implied(text, operands)
  local count, result, letters, most = {}, {}, {}, 0
  for _, operand in ipairs(operands) do
    for _, name in ipairs(operand.names) do most = math.max(most, tonumber(name) or 0) end
  end
  for i = most, 1, -1 do result[#result + 1] = tostring(i) end
  for letter in text:gmatch("%a") do count[letter] = (count[letter] or 0) + 1 end
  for letter, n in pairs(count) do if n == 1 then letters[#letters + 1] = letter end end
  table.sort(letters)
  return table.move(letters, 1, #letters, #result + 1, result)
end

-- Sizes of labels; axes of size 1 are broadcast.
local function sizes_of(operands)
  local sizes = {}
  for i, operand in ipairs(operands) do
    for axis, n in ipairs(operand.shape) do
      local name = operand.names[axis]
      local known = sizes[name]
      if known and known ~= n and known ~= 1 and n ~= 1 then
        raise(('%s: "%s" has size %d in operand %d, and %d before'):format(EINSUM, name, n, i, known))
      end
      if not known or known == 1 then sizes[name] = n end
    end
  end
  return sizes
end

local function join(...)
  local all = {}
  for _, names in ipairs{...} do table.move(names, 1, #names, #all + 1, all) end
  return all
end

-- The diagonal of axes i < j, as the last axis.
local function diagonal_of(plan, operand, i, j)
  local shape, order, names, rest = operand.shape, {}, {}, {}
  if shape[i] ~= shape[j] then
    raise(('%s: "%s" has sizes %d and %d in one operand'):format(EINSUM, operand.names[i], shape[i],
      shape[j]))
  end
  for axis, name in ipairs(operand.names) do
    if axis ~= i and axis ~= j then
      order[#order + 1], names[#names + 1], rest[#rest + 1] = axis, name, shape[axis]
    end
  end
  order[#order + 1], order[#order + 2], names[#names + 1] = i, j, operand.names[i]
  local n = shape[i]
  local whole, short = join(rest, {n * n}), join(rest, {n})
  local x = emit(plan, whole, nil, reshape, emit(plan, nil, nil, T.permute, operand, order), whole)
  return n > 0 and emit(plan, short, names, slice, x, {-1, 1, n * n, n + 1})
    or {at = x.at, shape = short, names = names}
end

local function without_repeats(plan, operand)
  local place = {}
  for j, name in ipairs(operand.names) do
    if place[name] then return without_repeats(plan, diagonal_of(plan, operand, place[name], j)) end
    place[name] = j
  end
  return operand
end

-- Axes in the order of `names`, of their sizes; axes of other labels are summed up.
local function arranged(plan, operand, names, sizes)
  local summed, left, place, order, own, shape = {}, {}, {}, {}, {}, {}
  local wanted = {}
  for _, name in ipairs(names) do wanted[name] = true end
  for axis, name in ipairs(operand.names) do
    if wanted[name] then
      left[#left + 1] = operand.shape[axis]
      place[name] = #left
    else
      summed[#summed + 1] = axis
    end
  end
  local x, moved = operand, false
  if #summed > 0 then x = emit(plan, left, nil, T.sum, x, summed) end
  for i, name in ipairs(names) do
    order[i], own[i], shape[i] = place[name], left[place[name]], sizes[name]
    moved = moved or order[i] ~= i
  end
  if moved then x = emit(plan, own, nil, T.permute, x, order) end
  return same(own, shape) and {at = x.at, shape = shape, names = names}
    or emit(plan, shape, names, T.broadcast_to, x, shape)
end

local function set_of(...)
  local set = {}
  for _, names in ipairs{...} do for _, name in ipairs(names) do set[name] = true end end
  return set
end

local function extent(names, sizes)
  local n = 1
  for _, name in ipairs(names) do n = n * sizes[name] end
  return n
end

-- Two operands become one that has the labels of `needed`: a product of matrices for each place of the labels
-- that both have and that are needed.
local function contract(plan, a, b, needed, sizes)
  local in_a, in_b = set_of(a.names), set_of(b.names)
  local batch, both, left, right, seen = {}, {}, {}, {}, {}
  for _, name in ipairs(join(a.names, b.names)) do
    if not seen[name] then
      seen[name] = true
      local list = in_a[name] and in_b[name] and (needed[name] and batch or both)
        or needed[name] and (in_a[name] and left or right)
      if list then list[#list + 1] = name end
    end
  end
  local names, shape = join(batch, left, right), {}
  for i, name in ipairs(names) do shape[i] = sizes[name] end
  local x = arranged(plan, a, join(batch, left, both), sizes)
  local y = arranged(plan, b, join(batch, both, right), sizes)
  if #left == 1 and #both == 1 and #right == 1 then return emit(plan, shape, names, T.matmul, x, nil, y) end
  local n, k, l, r = extent(batch, sizes), extent(both, sizes), extent(left, sizes), extent(right, sizes)
  x, y = reshaped(plan, x, {n, l, k}), reshaped(plan, y, {n, k, r})
  local z = emit(plan, {n, l, r}, nil, #both == 0 and times or T.matmul, x, nil, y)
  return {at = reshaped(plan, z, shape).at, shape = shape, names = names}
end

-- The labels of the right side.
local function result_of(output, operands)
  local all, once, dots = {}, {}, 0
  for _, operand in ipairs(operands) do for _, name in ipairs(operand.names) do all[name] = true end end
  while all[tostring(dots + 1)] do dots = dots + 1 end
  local letters = select(2, output:gsub("%a", ""))
  local result = labels_of(output, letters + (output:find("...", 1, true) and dots or 0))
  for _, name in ipairs(result) do
    if not all[name] or once[name] then
      raise(('%s: "%s" on the right side is %s'):format(EINSUM, name,
        once[name] and "there twice" or "in no operand"))
    end
    once[name] = true
  end
  return result
end

-- Labels of operands and of the result.
local function parsed(equation, shapes)
  local text = equation:gsub("%s", "")
  local inputs, output = text:match("^(.-)%->(.*)$")
  local operands = {}
  for part in ((inputs or text) .. ","):gmatch("(.-),") do
    local i = #operands + 1
    if not shapes[i] then check_tensor(nil, ("%s: operand %d"):format(EINSUM, i)) end
    operands[i] = {at = i, shape = shapes[i], names = labels_of(part, #shapes[i])}
  end
  if #operands ~= #shapes then
    raise(("%s: the equation has %d operands, %d tensors were given"):format(EINSUM, #operands, #shapes))
  end
  return operands, output and result_of(output, operands) or implied(inputs or text, operands)
end

local function planned(equation, shapes)
  local operands, result = parsed(equation, shapes)
  local plan = {operands = #operands, steps = {}}
  for i, operand in ipairs(operands) do operands[i] = without_repeats(plan, operand) end
  local sizes, joined = sizes_of(operands), operands[1]
  for i = 2, #operands do
    local needed = set_of(result)
    for j = i + 1, #operands do for _, name in ipairs(operands[j].names) do needed[name] = true end end
    joined = contract(plan, joined, operands[i], needed, sizes)
  end
  plan.result = arranged(plan, joined, result, sizes).at
  return plan
end

local MOST_KEPT = 100 -- plans, the last ones
local kept, count = {}, 0

--- einsum(equation, x, y, ...): "ij,jk->ik" and the like: products of elements, summed over the labels that
-- the right side lacks. Without "->" it has those that appear once, by the alphabet.
function M.einsum(equation, ...)
  local values, shapes, key = {...}, {}, {select("#", ...)}
  if type(equation) ~= "string" then
    raise(('%s: the equation must be a string such as "ij,jk->ik", got %s'):format(EINSUM,
      options.show(equation)))
  end
  for i = 1, select("#", ...) do
    shapes[i] = check_tensor(values[i], ("%s: operand %d"):format(EINSUM, i)):shape()
    key[i + 1] = table.concat(shapes[i], ",")
  end
  key[#key + 1] = equation
  key = table.concat(key, ":")
  local plan = kept[key]
  if not plan then
    plan = planned(equation, shapes)
    if count == MOST_KEPT then kept, count = {}, 0 end
    kept[key], count = plan, count + 1
  end
  for i, step in ipairs(plan.steps) do
    values[plan.operands + i] = step.run(values[step.x], step.argument or values[step.y])
  end
  return values[plan.result]
end

return M
