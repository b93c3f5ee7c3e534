--- Order and running totals along an axis: sort, argsort, topk, unique, searchsorted, cumsum, cumprod.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local options = require "tide.base.options"
local positions = require "tide.tensor.positions"
local tree = require "tide.base.tree"

local M = {}           -- functions of the module
local T = core.methods -- methods of tensors
local apply, raise = core.apply, core.raise
local check_tensor = tree._check_tensor

-- x as a tensor that has the axis (0-based), and the way back for results: a scalar is a line of one element.
local function along(where, x, axis, default)
  local shape = check_tensor(x, where):shape()
  if #shape == 0 then x = x:reshape{1} end
  if axis == nil and (default or x:rank() == 1) then axis = -1 end
  return x, arguments.axis(where, axis, x:rank()), function(y) return #shape == 0 and y:reshape(shape)
    or y end
end

-- An axis may be left out before options.
local function split_options(where, axis, opts, spec)
  if type(axis) == "table" then axis, opts = nil, axis end
  return axis, options.check("tide." .. where, opts, spec)
end

local sort_spec = {descending = {"boolean", default = false}, indices = {"boolean", default = true}}

--- Values and their 1-based positions in x, growing along an axis (default: the last). Stable; NaN counts as
-- the largest.
function T.sort(x, axis, opts)
  local o
  axis, o = split_options("sort", axis, opts, sort_spec)
  local line, at, back = along("sort", x, axis, true)
  local attrs = {at, o.descending and 1 or 0}
  if not o.indices then return back(apply("sort", attrs, line)) end
  local order = apply("argsort", attrs, line)
  return back(apply("gather", {at}, line, order)), back(order)
end

local argsort_spec = {descending = sort_spec.descending}

--- The positions alone.
function T.argsort(x, axis, opts)
  local o
  axis, o = split_options("argsort", axis, opts, argsort_spec)
  local line, at, back = along("argsort", x, axis, true)
  return back(apply("argsort", {at, o.descending and 1 or 0}, line))
end

local topk_spec = {largest = {"boolean", default = true}}

--- The k largest (or smallest) elements along an axis (default: the last), the extreme one first, and their
-- positions.
function T.topk(x, k, axis, opts)
  local o
  axis, o = split_options("topk", axis, opts, topk_spec)
  local line, at, back = along("topk", x, axis, true)
  local n, count = line:shape()[at + 1], options.integer(k)
  if not count or count < 0 or count > n then
    raise(("topk: k must be an integer in 0..%d, the length of axis %d, got %s"):format(n, at + 1,
      options.show(k)))
  end
  local order = apply("argsort", {at, o.largest and 1 or 0, count}, line)
  local values = apply("gather", {at}, line, order)
  if x:rank() == 0 and count == 0 then return values, order end
  return back(values), back(order)
end

--- The different elements, growing; how often each is there; for each element of x the position of its value.
-- Each NaN is an element of its own, as in PyTorch.
function T.unique(x)
  local nothing <close> = positions._concrete("unique", check_tensor(x, "unique")) -- luacheck: ignore nothing
  local n, shape = x:numel(), x:shape()
  local line = x:reshape{n}
  local sorted, order = T.sort(line)
  local is_first = core.full({math.min(n, 1)}, 1, "uint8")
  if n > 1 then
    is_first = apply("cat", {0}, is_first, sorted:slice(1, 2, n):ne(sorted:slice(1, 1, n - 1)))
  end
  local first = core.nonzero(is_first)
  local behind = apply("cat", {0}, first, core.full({1}, n + 1, "int64"))
  local counts = behind:slice(1, 2, -1) - first
  local inverse = apply("scatter_add", {0, n}, apply("cumsum", {0, 0}, is_first:to("int64")), order)
  return apply("take", {0}, sorted, first), counts, inverse:reshape(shape)
end

local search_spec = {right = {"boolean", default = false}}

--- The 1-based positions at which elements of x go into a growing vector, or into the growing rows of one of
-- their shape but for the last axis: before those that are equal, or behind them.
function M.searchsorted(sorted, x, opts)
  local o = options.check("tide.searchsorted", opts, search_spec)
  check_tensor(sorted, "tide.searchsorted")
  if type(x) == "number" then x = arguments.scalar(x) end
  return apply("searchsorted", {o.right and 1 or 0}, sorted, check_tensor(x, "tide.searchsorted"))
end

--- For the library: numbers that are at hand have to grow.
function M._check_growing(what, xp)
  if core.is_symbolic(xp) then return end
  local nothing <close> = core.tape_begin("nothing") -- luacheck: ignore nothing
  if xp:slice(1, 2, -1):gt(xp:slice(1, 1, -2)):all():item() == 0 then
    raise(what .. " must grow strictly; tide.argsort gives their order")
  end
end

--- What is piecewise linear through the points (xp[i], fp[i]), at x; constant outside, as NumPy's interp. fp
-- may have further axes.
function M.interp(x, xp, fp)
  if type(x) == "number" then x = arguments.scalar(x) end
  local where = "tide.interp"
  check_tensor(x, where)
  check_tensor(xp, where)
  local n, shape = xp:numel(), check_tensor(fp, where):shape()
  if xp:rank() ~= 1 or n < 2 or shape[1] ~= n then
    raise(("tide.interp: the points xp must be a vector of two numbers or more, and fp must have one value "
      .. "for each of them along its first axis; got shapes %s and %s"):format(tree._shape_text(xp),
      tree._shape_text(fp)))
  end
  M._check_growing("tide.interp: the points xp", xp)
  local behind = M.searchsorted(xp, x, {right = true}):clamp(2, n) -- the slope at xp[i] is that behind it
  local low, high = xp:take(behind - 1, 1), xp:take(behind, 1)
  local share, wide = ((x - low) / (high - low)):clamp(0, 1), x:shape()
  for _ = 2, #shape do wide[#wide + 1] = 1 end
  share = share:reshape(wide)
  return fp:take(behind - 1, 1) * (1 - share) + fp:take(behind, 1) * share
end

-- ---- running totals ----

local function wide(x) return x:dtype() == "uint8" and x:to("int64") or x end

--- Sums of the elements up to each one, along an axis.
function T.cumsum(x, axis)
  local line, at, back = along("cumsum", x, axis)
  return back(apply("cumsum", {at, 0}, wide(line)))
end

--- Products of the elements up to each one, along an axis; the derivative is right where some are 0.
function T.cumprod(x, axis)
  local line, at, back = along("cumprod", x, axis)
  line = wide(line)
  local n, attrs = line:shape()[at + 1], {}
  if n == 0 then return line end
  for i, size in ipairs(line:shape()) do
    attrs[3 * i - 2], attrs[3 * i - 1], attrs[3 * i] = 0, 1, size
  end
  local first = apply("embed", attrs, line:slice(at + 1, 1, 1))
  return back(apply("recurrence", {at, 0}, line, first))
end

return M
