--- nn.init: PyTorch's initialisers by their names (without the underscore). Each puts new numbers into x, in
-- place, and returns it; x has outputs first, as weights do.
--
-- Source: X. Glorot, Y. Bengio (2010): xavier; K. He et al., Delving Deep into Rectifiers (2015): kaiming; A.
-- Saxe et al. (2014): orthogonal; S. Zagoruyko, N. Komodakis, DiracNets (2017): dirac.

local core = require "tide.core"
local creation = require "tide.tensor.creation"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise
local number = options.finite
local function real(default) return {"number", default = default, check = number} end
local function size(default) return {"number", default = default, check = options.not_negative} end

local function float(where, x, least)
  local rank = tree._check_tensor(x, "nn.init." .. where):rank()
  local dtype = x:dtype()
  if dtype ~= "float32" and dtype ~= "float64" then
    raise(("nn.init.%s: x must be a float tensor, got %s"):format(where, dtype))
  end
  if rank < (least or 0) then
    raise(("nn.init.%s: x must have %d axes or more (outputs, inputs, ...), got shape {%s}"):format(where,
      least, table.concat(x:shape(), ", ")))
  end
  return x
end

-- Inputs of an output and outputs of an input of a weight.
local function fans(where, x)
  local shape, taps = float(where, x, 2):shape(), 1
  for i = 3, #shape do taps = taps * shape[i] end
  return shape[2] * taps, shape[1] * taps
end

local function uniform(x, bound)
  return x:copy_(core.random("uniform", x:shape(), x:dtype()) * (2 * bound) - bound)
end
local function normal(x, std) return x:copy_(core.random("normal", x:shape(), x:dtype()) * std) end

local gains = {linear = 1, identity = 1, conv1d = 1, conv2d = 1, sigmoid = 1, tanh = 5 / 3,
  relu = math.sqrt(2), selu = 3 / 4, leaky_relu = true}

--- calculate_gain(nonlinearity, slope) -> the factor of weights that keeps the size of what passes through.
function M.calculate_gain(name, slope)
  if gains[name] == nil then
    raise("nn.init.calculate_gain: " .. options.unknown("nonlinearity", name, options.sorted_keys(gains)))
  end
  if name ~= "leaky_relu" then return gains[name] end
  slope = slope == nil and 0.01 or slope
  if type(slope) ~= "number" then
    raise("nn.init.calculate_gain: the slope must be a number, got " .. options.show(slope))
  end
  return math.sqrt(2 / (1 + slope * slope))
end

--- uniform(x, {a = 0, b = 1}).
function M.uniform(x, opts)
  local o = options.check("nn.init.uniform", opts, {a = real(0), b = real(1)})
  float("uniform", x)
  return x:copy_(core.random("uniform", x:shape(), x:dtype()) * (o.b - o.a) + o.a)
end

--- normal(x, {mean = 0, std = 1}).
function M.normal(x, opts)
  local o = options.check("nn.init.normal", opts, {mean = real(0), std = size(1)})
  return float("normal", x):copy_(core.random("normal", x:shape(), x:dtype()) * o.std + o.mean)
end

--- trunc_normal(x, {mean = 0, std = 1, a = -2, b = 2}): normal numbers, drawn anew until they lie in a..b.
function M.trunc_normal(x, opts)
  local o = options.check("nn.init.trunc_normal", opts, {mean = real(0), std = size(1), a = real(-2),
    b = real(2)})
  if not (o.a < o.b) or o.std > 0 and (o.a > o.mean + 4 * o.std or o.b < o.mean - 4 * o.std) then
    raise(("nn.init.trunc_normal: a < b is wanted, and numbers of mean %g, std %g between them, got %g..%g")
      :format(o.mean, o.std, o.a, o.b))
  end
  float("trunc_normal", x)
  local function draw() return core.random("normal", x:shape(), x:dtype()) * o.std + o.mean end
  local y = draw()
  for _ = 1, 1000 do
    local outside = y:lt(o.a):maximum(y:gt(o.b))
    if x:numel() == 0 or outside:max():item() == 0 then break end
    y = core.apply("where", {}, outside, draw(), y)
  end
  return x:copy_(y:clamp(o.a, o.b))
end

--- constant(x, value), ones(x), zeros(x).
function M.constant(x, value)
  if type(value) ~= "number" then
    raise("nn.init.constant: the value must be a number, got " .. options.show(value))
  end
  return float("constant", x):copy_(core.full(x:shape(), value, x:dtype()))
end
function M.ones(x) return float("ones", x):copy_(core.full(x:shape(), 1, x:dtype())) end
function M.zeros(x) return float("zeros", x):copy_(core.full(x:shape(), 0, x:dtype())) end

local gain_spec = {gain = size(1)}

--- xavier_uniform(x, {gain = 1}), xavier_normal: variance gain^2 2 / (fan_in + fan_out).
function M.xavier_uniform(x, opts)
  local o = options.check("nn.init.xavier_uniform", opts, gain_spec)
  local fan_in, fan_out = fans("xavier_uniform", x)
  return uniform(x, o.gain * math.sqrt(6 / (fan_in + fan_out)))
end
function M.xavier_normal(x, opts)
  local o = options.check("nn.init.xavier_normal", opts, gain_spec)
  local fan_in, fan_out = fans("xavier_normal", x)
  return normal(x, o.gain * math.sqrt(2 / (fan_in + fan_out)))
end

local kaiming_spec = {a = real(0), mode = {"string", default = "fan_in",
  check = options.one_of{"fan_in", "fan_out"}}, nonlinearity = {"string", default = "leaky_relu"}}

local function kaiming_std(where, x, opts)
  local o = options.check("nn.init." .. where, opts, kaiming_spec)
  local fan_in, fan_out = fans(where, x)
  return M.calculate_gain(o.nonlinearity, o.a) / math.sqrt(o.mode == "fan_in" and fan_in or fan_out)
end

--- kaiming_uniform(x, {a = 0, mode = "fan_in", nonlinearity = "leaky_relu"}), kaiming_normal: variance gain^2
-- / fan; a: slope of the leaky ReLU.
function M.kaiming_uniform(x, opts)
  return uniform(x, math.sqrt(3) * kaiming_std("kaiming_uniform", x, opts))
end
function M.kaiming_normal(x, opts) return normal(x, kaiming_std("kaiming_normal", x, opts)) end

--- eye(x): the unit matrix.
function M.eye(x)
  local shape = float("eye", x):shape()
  if #shape ~= 2 then
    raise(("nn.init.eye: x must be a matrix, got shape {%s}"):format(table.concat(shape, ", ")))
  end
  x:copy_(core.full(shape, 0, x:dtype()))
  for i = 1, math.min(shape[1], shape[2]) do x[i][i] = 1 end
  return x
end

--- dirac(x): a convolution that gives its channels back, as many as there are filters.
function M.dirac(x)
  local shape = float("dirac", x, 3):shape()
  x:copy_(core.full(shape, 0, x:dtype()))
  local flat, taps, centre = nil, 1, 0
  for i = 3, #shape do centre, taps = centre * shape[i] + shape[i] // 2, taps * shape[i] end
  flat = x:reshape{shape[1], shape[2], taps}
  for i = 1, math.min(shape[1], shape[2]) do flat[i][i][centre + 1] = 1 end
  return x
end

--- sparse(x, {sparsity =, std = 0.01}): normal numbers, that share of each column 0.
function M.sparse(x, opts)
  local o = options.check("nn.init.sparse", opts, {sparsity = {"number", required = true,
    check = options.between(0, 1)}, std = size(0.01)})
  local shape = float("sparse", x):shape()
  if #shape ~= 2 then
    raise(("nn.init.sparse: x must be a matrix, got shape {%s}"):format(table.concat(shape, ", ")))
  end
  normal(x, o.std)
  for column = 1, shape[2] do
    local order = creation.randperm(shape[1])
    for i = 1, math.ceil(o.sparsity * shape[1]) do x[order[i]][column] = 0 end
  end
  return x
end

-- Rows made orthonormal by the modified Gram-Schmidt process (columns where there are more rows than
-- columns).
function M._orthogonal(rows, columns, dtype)
  local tall = rows > columns
  local a = core.random("normal", tall and {columns, rows} or {rows, columns}, "float64"):totable()
  for i, row in ipairs(a) do
    for j = 1, i - 1 do
      local dot = 0
      for k, v in ipairs(row) do dot = dot + v * a[j][k] end
      for k in ipairs(row) do row[k] = row[k] - dot * a[j][k] end
    end
    local norm = 0
    for _, v in ipairs(row) do norm = norm + v * v end
    for k in ipairs(row) do row[k] = row[k] / math.sqrt(norm) end
  end
  local q = core.tensor_from(a, "float64")
  return (tall and q:transpose() or q):clone():to(dtype)
end

local gain_of_orthogonal = {gain = real(1)}

--- orthogonal(x, {gain = 1}): rows, or columns where there are fewer, orthonormal; axes behind the first
-- count as one.
function M.orthogonal(x, opts)
  local o = options.check("nn.init.orthogonal", opts, gain_of_orthogonal)
  local shape, columns = float("orthogonal", x, 2):shape(), 1
  for i = 2, #shape do columns = columns * shape[i] end
  local q = M._orthogonal(shape[1], columns, x:dtype()):reshape(shape)
  return x:copy_(o.gain == 1 and q or q * o.gain)
end

return M
