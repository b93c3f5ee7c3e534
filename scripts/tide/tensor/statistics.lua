--- What NumPy has beside the ops, made of them: order statistics, covariances, counts, differences and
-- integrals along an axis, products of Kronecker and of vectors in space.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local elementwise = require "tide.tensor.elementwise"
local options = require "tide.base.options"
local ordering = require "tide.tensor.ordering"
local positions = require "tide.tensor.positions"
local shapes = require "tide.tensor.shape"
local tree = require "tide.base.tree"

local T = core.methods -- methods of tensors
local apply, raise = core.apply, core.raise
local is_tensor, check_tensor, integer = tree.is_tensor, tree._check_tensor, options.integer

local function floats(x) return arguments.float(x) end

-- ---- order statistics ----

-- Element h, counted from 0 and with a fraction, of what is sorted along axis `at`; NaN where there is one.
local function between(sorted, at, h)
  local low, share = math.floor(h), h - math.floor(h)
  local n = sorted:shape()[at]
  local a, last = sorted:slice(at, low + 1, low + 1), sorted:slice(at, n, n)
  local y = a
  if share > 0 then
    local b = sorted:slice(at, low + 2, low + 2)
    y = share < 0.5 and a + (b - a) * share or b - (b - a) * (1 - share) -- NumPy's way: exact at both ends
  end
  return elementwise.where(last:isnan(), last, y)
end

local function check_share(where, q)
  if type(q) ~= "number" or not (q >= 0 and q <= 1) then
    raise(("%s: q must be a number in 0..1 or a list of them, got %s"):format(where, options.show(q)))
  end
  return q
end

local function quantile(where, x, q, axis, keepdim)
  local shape = check_tensor(x, where):shape()
  options.flag(where, "keepdim", keepdim)
  local line, at = floats(x), 1
  local kept = {}
  for i = 1, #shape do kept[i] = (axis == nil) and 1 or shape[i] end
  if axis == nil then
    line = line:reshape{x:numel()}
  else
    at = arguments.axis(where, axis, #shape) + 1
    kept[at] = 1
  end
  local n = line:shape()[at]
  if n == 0 then raise(where .. ": there are no elements along the axis") end
  local rest = table.move(kept, 1, #kept, 1, {})
  if not keepdim then
    if axis == nil then rest = {} else table.remove(rest, at) end
  end
  local sorted = line:sort(at, {indices = false})
  if type(q) ~= "table" then return between(sorted, at, check_share(where, q) * (n - 1)):reshape(rest) end
  local out = {}
  for i, v in ipairs(q) do out[i] = between(sorted, at, check_share(where, v) * (n - 1)):reshape(rest) end
  if #out == 0 then raise(where .. ": q is an empty list") end
  return shapes.stack(out)
end

--- Quantile q in 0..1 of all elements or along an axis, linear between two of them; of a list of q they stand
-- along a new first axis.
function T.quantile(x, q, axis, keepdim) return quantile("quantile", x, q, axis, keepdim) end

--- The middle element, or the mean of the two that are.
function T.median(x, axis, keepdim) return quantile("median", x, 0.5, axis, keepdim) end

-- ---- covariances ----

local cov_spec = {correction = {"number", default = 1}}

--- Covariances of the rows of x {variables, observations}; a vector is one variable.
function T.cov(x, opts)
  local o, rank = options.check("cov", opts, cov_spec), check_tensor(x, "cov"):rank()
  if rank < 1 or rank > 2 then
    raise(("cov: expected {variables, observations} or a vector, got shape %s"):format(tree._shape_text(x)))
  end
  x = floats(x)
  local rows = rank == 1 and x:reshape{1, x:numel()} or x
  local centred = rows - rows:mean(2, true)
  local y = centred:matmul(centred:transpose()) / math.max(0, rows:shape()[2] - o.correction)
  return rank == 1 and y:reshape{} or y
end

--- Correlations of the rows: covariances over both standard deviations.
function T.corrcoef(x)
  local c = T.cov(check_tensor(x, "corrcoef"))
  if c:rank() == 0 then return c / c end
  local size = c:diag():sqrt()
  return (c / size:reshape{size:numel(), 1} / size):clamp(-1, 1)
end

-- ---- counts ----

local bin_spec = {weights = {"tensor"}, minlength = {"integer", default = 0, check = options.at_least(0)}}

-- One number for each element of x, a vector; src where there are no weights.
local function weights_of(where, x, weights)
  if not weights then return core.full({}, 1, "int64"):broadcast_to{x:numel()} end
  if weights:numel() ~= x:numel() then
    raise(("%s: weights must be as many as the elements, %d, got shape %s"):format(where, x:numel(),
      tree._shape_text(weights)))
  end
  return floats(weights:reshape{x:numel()})
end

--- How often 1, 2, ... are among the integers of x, up to the largest or minlength; or sums of weights.
function T.bincount(x, opts)
  local o = options.check("tide.bincount", opts, bin_spec)
  if check_tensor(x, "bincount"):dtype():find "float" then
    raise(('bincount: x must be integers, got %s; convert it with x:to("int64")'):format(x:dtype()))
  end
  local n, line = o.minlength, x:reshape{x:numel()}:to "int64"
  do
    local nothing <close> = positions._concrete("bincount", x) -- luacheck: ignore nothing
    if x:numel() > 0 then
      if line:min():item() < 1 then
        raise(("bincount: x must be integers from 1 on, got %d"):format(line:min():item()))
      end
      n = math.max(n, line:max():item())
    end
  end
  local src = weights_of("bincount", line, o.weights)
  if n == 0 or x:numel() == 0 then return core.full({n}, 0, src:dtype()) end
  return apply("scatter_add", {0, n}, src, line)
end

local histogram_spec = {weights = {"tensor"}, density = {"boolean", default = false}, range = {"table",
  check = function(r)
    local numbers = #r == 2 and type(r[1]) == "number" and type(r[2]) == "number"
    return numbers and options.finite(r[1]) and options.finite(r[2]) and r[1] < r[2],
      "{low, high}, two numbers that grow"
  end}}

local function edges_of(x, bins, range)
  local where = "histogram"
  local n = integer(bins)
  if type(bins) == "table" then bins = core.tensor_from(bins, "float64") end
  if is_tensor(bins) then
    if bins:rank() ~= 1 or bins:numel() < 2 then
      raise(("%s: edges must be a vector of two numbers or more, got shape %s"):format(where,
        tree._shape_text(bins)))
    end
    ordering._check_growing(where .. ": the edges", bins)
    return bins:to "float64"
  elseif not n or n < 1 then
    raise(("%s: bins must be an integer >= 1, or edges that grow, got %s"):format(where, options.show(bins)))
  end
  local share = core.arange(0, 1 / n, n + 1, "float64", 1)
  if range or x:numel() == 0 then
    range = range or {0, 1}
    return (1 - share) * range[1] + share * range[2]
  end
  local low, high = x:min(), x:max()
  if not core.is_symbolic(x) and not (options.finite(low:item()) and options.finite(high:item())) then
    raise(where .. ": x has numbers that are not finite; give range = {low, high}, which leaves them out")
  end
  local none = high:eq(low):to "float64" * 0.5
  return (1 - share) * (low - none) + share * (high + none)
end

--- Counts of the elements in bins, and their edges, float64: as many equal bins over the range (default: from
-- the least to the largest), or those between given edges. Bins hold their lower edge, the last one both.
function T.histogram(x, bins, opts)
  if type(bins) == "table" and next(bins) and not bins[1] then bins, opts = nil, bins end
  local o = options.check("tide.histogram", opts, histogram_spec)
  x = check_tensor(x, "histogram"):reshape{x:numel()}:to "float64"
  local edges = edges_of(x, bins == nil and 10 or bins, o.range)
  local n = edges:numel() - 1
  local src = weights_of("histogram", x, o.weights)
  local inside = x:ge(edges:slice(1, 1, 1)):logical_and(x:le(edges:slice(1, n + 1, n + 1)))
  local counts
  if x:numel() == 0 then
    counts = core.full({n}, 0, src:dtype())
  else
    local place = (ordering.searchsorted(edges, x, {right = true}) - 1):clamp(1, n)
    counts = apply("scatter_add", {0, n}, src * inside:to(src:dtype()), place)
  end
  if not o.density then return counts, edges end
  return counts:to "float64" / counts:sum():to "float64" / T.diff(edges), edges
end

-- ---- along an axis ----

--- Differences of neighbours along an axis (default: the last), n times over.
function T.diff(x, n, axis)
  local shape = check_tensor(x, "diff"):shape()
  local at = arguments.axis("diff", axis or -1, #shape) + 1
  local times = integer(n == nil and 1 or n)
  if not times or times < 0 then raise("diff: n must be an integer >= 0, got " .. options.show(n)) end
  x = arguments.wide(x)
  for _ = 1, times do
    local length = x:shape()[at]
    if length < 2 then return x:slice(at, 1, 0) end
    x = x:slice(at, 2, length) - x:slice(at, 1, length - 1)
  end
  return x
end

--- The integral of y along an axis (default: the last) by trapezoids: over points x, a vector or a tensor of
-- y's shape, or with points so far apart (default 1).
function T.trapezoid(y, x, axis)
  local shape = check_tensor(y, "trapezoid"):shape()
  local at = arguments.axis("trapezoid", axis or -1, #shape) + 1
  local n = shape[at]
  y = floats(y)
  if type(x) == "table" then x = core.tensor_from(x, y:dtype()) end
  local width = x == nil and 1 or x
  if is_tensor(width) and width:rank() > 0 then
    local own = width:shape()
    local whole = #own == #shape and table.concat(own, " ") == table.concat(shape, " ")
    if not whole and not (#own == 1 and own[1] == n) then
      raise(("trapezoid: x must be a number, a vector of %d points or of y's shape %s, got shape %s"):format(
        n, tree._shape_text(y), tree._shape_text(width)))
    end
    if not whole then
      local line = {}
      for i = 1, #shape do line[i] = i == at and n or 1 end
      width = width:reshape(line)
    end
    width = floats(T.diff(width, 1, at))
  elseif type(width) ~= "number" and not is_tensor(width) then
    raise("trapezoid: x must be a number, a vector of points or a tensor of y's shape, got "
      .. options.show(x))
  end
  if n < 2 then return y:slice(at, 1, 0):sum(at) end
  return ((y:slice(at, 2, n) + y:slice(at, 1, n - 1)) * 0.5 * width):sum(at)
end

-- ---- matrices and vectors ----

--- The sum of the diagonal of each matrix.
function T.trace(x)
  local shape = check_tensor(x, "trace"):shape()
  if #shape < 2 then
    raise(("trace: expected a matrix or a batch of them, got shape %s"):format(tree._shape_text(x)))
  end
  local n, m = table.remove(shape), table.remove(shape)
  shape[#shape + 1] = m * n
  return x:reshape(shape):slice(-1, 1, (math.min(m, n) - 1) * (n + 1) + 1, n + 1):sum(-1)
end

--- Kronecker's product: blocks x[i][j] y, of as many axes as the tensor with more of them has.
function T.kron(x, y)
  check_tensor(x, "kron")
  check_tensor(y, "kron")
  local rank = math.max(x:rank(), y:rank())
  if rank > 4 then raise("kron: at most 4 axes are possible, got " .. rank) end
  local a, b, shape = {}, {}, {}
  for i = 1, rank do
    local p = x:shape()[i - rank + x:rank()] or 1
    local q = y:shape()[i - rank + y:rank()] or 1
    a[2 * i - 1], a[2 * i], b[2 * i - 1], b[2 * i], shape[i] = p, 1, 1, q, p * q
  end
  return (x:reshape(a) * y:reshape(b)):reshape(shape)
end

--- Products of vectors in space, along an axis of three (default: the last).
function T.cross(x, y, axis)
  for i, v in ipairs{x, check_tensor(y, "cross")} do
    local shape = check_tensor(v, "cross"):shape()
    if shape[arguments.axis("cross", axis or -1, #shape) + 1] ~= 3 then
      raise(("cross: argument %d must have three elements along axis %d, got shape %s"):format(i, axis or -1,
        tree._shape_text(v)))
    end
  end
  local at = axis or -1
  return x:roll(-1, at) * y:roll(-2, at) - x:roll(-2, at) * y:roll(-1, at)
end
