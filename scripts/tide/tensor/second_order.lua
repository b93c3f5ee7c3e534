--- Whole Jacobians and Hessians, and products with Hessians and Gauss-Newton matrices.
--
-- A matrix comes from products with unit vectors, several to a pass: a pass runs the function once, and from
-- there as many products as it has rows (or columns). So a solve inside is solved once per pass, not once per
-- row. In a recording all products are in it.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"
local updates = require "tide.tensor.updates"

local M = {}
local raise = core.raise

-- A pass of p products records p of them and is run n / p times; both cost about alike, so p is sqrt(n).
local MOST_IN_A_PASS = 32
local MAX_RANK = 8 -- of core/tensor/tensor.h

local function fresh_names(leaves)
  local fresh = {}
  for i, x in ipairs(leaves) do fresh[i] = autodiff._alias(x) end
  return fresh
end

local function zeros_like(list)
  local zeros = {}
  for i, x in ipairs(list) do
    zeros[i] = autodiff._alias(core.full({}, 0, x:dtype()):broadcast_to(x:shape()))
  end
  return zeros
end

local function float_outputs(where, y)
  local outputs = tree.tensors(y, true)
  if #outputs == 0 then
    raise(("%s: the function must return a float tensor or a table of them, got %s"):format(where,
      options.show(y)))
  end
  return outputs
end

local function numel(list)
  local n = 0
  for _, x in ipairs(list) do n = n + x:numel() end
  return n
end

-- Unit vectors of the space of `list`, one for each of the positions (int64, {p}): for each a list like it.
local function unit_vectors(list, positions, p)
  local units, n, at = {}, numel(list), 0
  local hot = core.apply("one_hot", {n, 1}, positions)
  for row = 1, p do units[row] = {} end
  for i, x in ipairs(list) do
    local part = hot:slice(2, at + 1, at + x:numel()):to(x:dtype())
    for row = 1, p do units[row][i] = part:select(1, row):reshape(x:shape()) end
    at = at + x:numel()
  end
  return units
end

-- Flat products for the unit vectors at the positions, one matrix {p, size} for each tensor of the result;
-- and whether they are those of a flow, where the steps of a solve have others.
local function emit_products(outputs, inputs, by, positions, p)
  local from, to, along = outputs, inputs, nil
  if by == "columns" then
    -- the pullback is linear in its cotangent u; a column is its transpose
    local u = zeros_like(outputs)
    from, to, along = inputs, u, core.vjp(nil, outputs, u, inputs)
  end
  local parts, of_flow = {}, false
  for i in ipairs(to) do parts[i] = {} end
  for row, unit in ipairs(unit_vectors(from, positions, p)) do
    local bars, flow = core.vjp(nil, along or outputs, unit, to)
    for i, x in ipairs(bars) do parts[i][row] = x:reshape{1, x:numel()} end
    of_flow = of_flow or flow
  end
  for i, rows in ipairs(parts) do parts[i] = core.apply("cat", {0}, table.unpack(rows)) end
  return parts, of_flow
end

-- blocks[i][j]: of output i and leaf j, {size of i, size of j}, from the products of all unit vectors.
local function blocks_of(products, outputs, leaves, by)
  local blocks = {}
  local sources, results = outputs, leaves
  if by == "columns" then sources, results = leaves, outputs end
  for i in ipairs(outputs) do blocks[i] = {} end
  local at = 0
  for s, x in ipairs(sources) do
    for r in ipairs(results) do
      local part = products[r]:slice(1, at + 1, at + x:numel())
      if by == "columns" then
        blocks[r][s] = part:transpose():to(leaves[s]:dtype()):clone()
      else
        blocks[s][r] = part
      end
    end
    at = at + x:numel()
  end
  return blocks
end

local function count(by, outputs, leaves) return numel(by == "columns" and leaves or outputs) end

local function empty_products(outputs, leaves, by)
  local n, products = count(by, outputs, leaves), {}
  for i, x in ipairs(by == "columns" and outputs or leaves) do
    products[i] = core.full({n, x:numel()}, 0, x:dtype())
  end
  return products
end

local function joined(list, axis)
  return #list == 1 and list[1] or core.apply("cat", {axis}, table.unpack(list))
end

local function flat_matrix(blocks)
  local rows = {}
  for i, row in ipairs(blocks) do rows[i] = joined(row, 1) end
  return joined(rows, 0)
end

-- y's structure of p's structure, blocks of y's shape and then p's; what is no float has no derivative.
local function structured(where, blocks, y, p, outputs, leaves)
  local place = 0
  return tree.map(y, function(x)
    if x:dtype() ~= "float32" and x:dtype() ~= "float64" then return nil end
    place = place + 1
    local row = {}
    for j, leaf in ipairs(leaves) do
      local shape = outputs[place]:shape()
      table.move(leaf:shape(), 1, leaf:rank(), #shape + 1, shape)
      if #shape > MAX_RANK then
        raise(("%s: a block of the result would have %d axes, at most %d are possible; take {flat = true}, "
          .. "which gives one matrix"):format(where, #shape, MAX_RANK))
      end
      row[j] = blocks[place][j]:reshape(shape)
    end
    return tree.replace(p, row, true)
  end)
end

-- emit(by) -> products, and by what they are. "auto": whichever are fewer; but columns are a derivative of
-- the pullback, which not every function has (a field in C), or not that of the steps of its solve (through
-- events of a grid), and then there are the rows.
local function either_way(emit, by, outputs, leaves)
  if by == "auto" and numel(leaves) < numel(outputs) then
    local done, products, of_flow = pcall(emit, "columns")
    if done and not of_flow then return products, "columns" end
    if not done and core.is_failure(products) then error(products, 0) end
  end
  by = by == "auto" and "rows" or by
  return (emit(by)), by
end

-- All products, on the tape being recorded.
local function emit_all(emit, p, leaves, by, ...)
  local fresh = fresh_names(leaves)
  local y, outputs = emit(tree.replace(p, fresh, true), fresh, ...)
  if numel(outputs) * numel(leaves) == 0 then
    return y, outputs, empty_products(outputs, leaves, by), by
  end
  return y, outputs, either_way(function(way)
    local positions, n = {}, count(way, outputs, leaves)
    for i = 1, n do positions[i] = i end
    return emit_products(outputs, fresh, way, core.tensor_from(positions, "int64"), n)
  end, by, outputs, leaves)
end

-- Recorded with the products of one pass, and run pass by pass.
local function run_passes(emit, p, leaves, by, ...)
  local y, outputs, products
  local inputs, size = {}, nil
  local tape <close> = core.tape_begin("once")
  local dropped <close> = updates.collect() -- luacheck: ignore dropped (no step of a training: buffers stay)
  do
    local hint <close> = autodiff._explaining() -- luacheck: ignore hint
    for i, x in ipairs(leaves) do inputs[i] = tape:input(x) end
    y, outputs = emit(tree.replace(p, inputs, true), inputs, ...)
    if numel(outputs) * numel(leaves) > 0 then
      local fewest = by == "auto" and math.min(numel(outputs), numel(leaves)) or count(by, outputs, leaves)
      size = math.min(MOST_IN_A_PASS, math.ceil(math.sqrt(fewest)))
      local positions = tape:input(core.full({size}, 1, "int64"))
      products, by = either_way(function(way)
        return emit_products(outputs, inputs, way, positions, size)
      end, by, outputs, leaves)
    end
  end
  tape:finish()
  if not products then return y, outputs, empty_products(outputs, leaves, by), by end
  local program, passes, n = core.program(tape, products), {}, count(by, outputs, leaves)
  for i in ipairs(products) do passes[i] = {} end
  for first = 1, n, size do
    local at = {}
    for i = 1, size do at[i] = math.min(first + i - 1, n) end
    local given = table.move(leaves, 1, #leaves, 1, {})
    given[#given + 1] = core.tensor_from(at, "int64")
    for i, part in ipairs(autodiff._run(program, given)) do passes[i][#passes[i] + 1] = part end
  end
  for i, parts in ipairs(passes) do products[i] = joined(parts, 0):slice(1, 1, n) end
  return y, outputs, products, by
end

local matrix_options = {
  by = {"string", default = "auto", check = function(v)
    if v == "auto" or v == "rows" or v == "columns" then return true end
    return nil, '"auto", "rows" or "columns"'
  end},
  flat = {"boolean", default = false},
}
local hessian_options = {flat = matrix_options.flat}

-- What emits(where, fn) gives is the function whose Jacobian is wanted; p nil: a function of (p, ...).
local function matrix(where, emit, o, p, ...)
  local leaves = autodiff._float_leaves(where, p)
  local y, outputs, products, by =
    (core.is_recording() and emit_all or run_passes)(emit, p, leaves, o.by or "rows", ...)
  local blocks = blocks_of(products, outputs, leaves, by)
  if o.flat then return flat_matrix(blocks) end
  return structured(where, blocks, y, p, outputs, leaves)
end

local function of_now_or_later(where, emit, p, o)
  if p ~= nil then return matrix(where, emit, o, p) end
  return function(...) return matrix(where, emit, o, ...) end
end

--- jacobian(fn, p, opts) -> dy/dp of y = fn(p), in y's structure of p's structure, each block of y's shape
-- followed by p's. Without p a function of (p, ...), further arguments constants.
function M.jacobian(fn, p, opts)
  local where = "tide.jacobian"
  autodiff._check_function(where, fn)
  local o = options.check(where, opts, matrix_options)
  return of_now_or_later(where, function(q, _, ...)
    local y = fn(q, ...)
    return y, float_outputs(where, y)
  end, p, o)
end

--- hessian(fn, p, opts) -> second derivatives of the scalar fn(p), in p's structure of p's structure.
-- Without p a function of (p, ...).
function M.hessian(fn, p, opts)
  local where = "tide.hessian"
  autodiff._check_function(where, fn)
  local o = options.check(where, opts, hessian_options)
  return of_now_or_later(where, function(q, leaves, ...)
    local _, grads = autodiff._emit_gradient(where, fn, q, leaves, ...)
    return tree.replace(q, grads, true), grads
  end, p, o)
end

-- ---- products ----

-- emit(q, leaves, directions) -> y, list of the product's parts; all in one recording.
local function product(where, emit, p, v)
  local leaves, directions = autodiff._float_leaves(where, p), tree.tensors(v, true)
  if #directions ~= #leaves then
    raise(("%s: p has %d float tensors, the vector has %d"):format(where, #leaves, #directions))
  end
  for i, x in ipairs(leaves) do
    if autodiff._describe(x) ~= autodiff._describe(directions[i]) then
      raise(("%s: part %d of the vector must have shape %s as p has, got %s"):format(where, i,
        autodiff._describe(x), autodiff._describe(directions[i])))
    end
  end
  if core.is_recording() then
    local fresh = fresh_names(leaves)
    local y, parts = emit(tree.replace(p, fresh, true), fresh, directions)
    return y, tree.replace(p, parts, true)
  end
  local y, outputs, n
  local inputs, vectors = {}, {}
  local tape <close> = core.tape_begin("once")
  local dropped <close> = updates.collect() -- luacheck: ignore dropped (no step of a training: buffers stay)
  do
    local hint <close> = autodiff._explaining() -- luacheck: ignore hint
    for i, x in ipairs(leaves) do inputs[i] = tape:input(x) end
    for i, x in ipairs(directions) do vectors[i] = tape:input(x) end
    local parts
    y, parts = emit(tree.replace(p, inputs, true), inputs, vectors)
    outputs = tree.tensors(y, true)
    n = #outputs
    table.move(parts, 1, #parts, n + 1, outputs)
  end
  tape:finish()
  local given = table.move(directions, 1, #directions, #leaves + 1, table.move(leaves, 1, #leaves, 1, {}))
  local results = autodiff._run(core.program(tape, outputs), given)
  return tree.replace(y, results, true), tree.replace(p, table.move(results, n + 1, #results, 1, {}), true)
end

--- hvp(fn, p, v) -> fn(p), H v with the Hessian H of the scalar fn at p; v and the product are like p.
function M.hvp(fn, p, v)
  local where = "tide.hvp"
  autodiff._check_function(where, fn)
  return product(where, function(q, leaves, vectors)
    local y, grads = autodiff._emit_gradient(where, fn, q, leaves)
    return y, core.vjp(nil, grads, vectors, leaves) -- H is symmetric
  end, p, v)
end

-- The Hessian of the scalar loss(y) at y = outputs, times vectors.
local function curvature(where, loss, y, outputs, vectors)
  local fresh = fresh_names(outputs)
  local _, grads = autodiff._emit_gradient(where .. ", loss", loss, tree.replace(y, fresh, true), fresh)
  return core.vjp(nil, grads, vectors, fresh)
end

local gauss_newton_options = {loss = {"function"}}

--- gauss_newton(fn, p, v, opts) -> y, J^T H J v with y = fn(p), its Jacobian J, and H the Hessian at y of
-- opts.loss(y) -> scalar; without one H = 1, that of the half sum of squares. v and the product are like p.
-- Source: N. Schraudolph, Fast curvature matrix-vector products for second-order gradient descent, Neural
-- Computation 14 (2002), section 3.
function M.gauss_newton(fn, p, v, opts)
  local where = "tide.gauss_newton"
  autodiff._check_function(where, fn)
  local o = options.check(where, opts, gauss_newton_options)
  return product(where, function(q, leaves, vectors)
    local y = fn(q)
    local outputs = float_outputs(where, y)
    local u = zeros_like(outputs)
    local along = core.vjp(nil, core.vjp(nil, outputs, u, leaves), vectors, u)
    if o.loss then along = curvature(where, o.loss, y, outputs, along) end
    return y, core.vjp(nil, outputs, along, leaves)
  end, p, v)
end

return M
