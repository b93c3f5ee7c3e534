--- Fields whose weights vary with depth, that see the data, or that are of second order: what an ODE block
-- may solve beside a plain network.
--
-- Source: S. Massaroli et al., Dissecting Neural ODEs (2020): Galerkin layers, data control, higher order; A.
-- Norcliffe et al., On Second Order Behaviour in Augmented Neural ODEs (2020).

local activations = require "tide.nn.activations"
local arguments = require "tide.nn.arguments"
local class = require "tide.nn.model_class"
local core = require "tide.core"
local initial = require "tide.nn.initial"
local options = require "tide.base.options"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise
local count = options.at_least(1)

-- ---- weights that vary with t ----

-- The functions of s, a scalar tensor that goes from 0 to 1 over the span.
local bases = {}
function bases.polynomial(s, n)
  local list = {s * 0 + 1}
  for k = 2, n do list[k] = list[k - 1] * s end
  return list
end
function bases.chebyshev(s, n)
  local x = s * 2 - 1
  local list = {s * 0 + 1, x}
  for k = 3, n do list[k] = x * list[k - 1] * 2 - list[k - 2] end
  return table.move(list, 1, n, 1, {})
end
function bases.fourier(s, n)
  local list = {s * 0 + 1}
  for k = 2, n do
    local angle = s * (2 * math.pi * (k // 2))
    list[k] = k % 2 == 0 and angle:cos() or angle:sin()
  end
  return list
end
function bases.gaussian(s, n)
  local list, width = {}, 1 / math.max(1, n - 1)
  for k = 1, n do list[k] = (((s - (k - 1) * width) / width):square() * -0.5):exp() end
  return list
end

local function combined(phi, coefficients)
  local shape = coefficients:shape()
  local terms = table.remove(shape, 1)
  return phi:matmul(coefficients:reshape{terms, -1}):reshape(shape)
end

local make_galerkin = class("nn.galerkin", "layers act basis terms span", function(self, t, y)
  if not tree.is_tensor(y) then
    raise("nn.galerkin: this field depends on time; call it as field(t, y), y a tensor, got "
      .. options.show(y))
  end
  local dtype = y:dtype()
  if not tree.is_tensor(t) then t = core.full({}, t, dtype) end
  local s = (t:to(dtype) - self.span[1]) / (self.span[2] - self.span[1])
  local phi = tensor.stack(bases[self.basis](s, self.terms)):reshape{1, self.terms}
  for i, layer in ipairs(self.layers) do
    arguments.features("nn.galerkin", y, -1, layer.weight:shape()[3])
    y = core.apply("matmul", {0, 1}, y, combined(phi, layer.weight))
    if layer.bias then y = y + combined(phi, layer.bias) end
    if i < #self.layers then y = activations.apply(y, self.act) end
  end
  return y
end)

local galerkin_spec = initial.options{sizes = {"table", required = true}, act = {"string", default = "tanh"},
  basis = {"string", default = "fourier", check = options.one_of(options.sorted_keys(bases))},
  terms = {"integer", default = 3, check = options.between(1, 1000)},
  span = {"table", default = {0, 1}, check = function(v)
    return #v == 2 and type(v[1]) == "number" and type(v[2]) == "number" and v[1] ~= v[2],
      "{t0, t1}, two different numbers"
  end}}

-- Coefficients {terms, ...}, each drawn as weights are, their sum as large as one of them.
local function coefficients(n_in, n_out, o)
  local weights, biases = {}, {}
  for k = 1, o.terms do
    local weight, bias = initial.weights({n_out, n_in}, n_in, n_out, o)
    weights[k], biases[k] = weight / math.sqrt(o.terms), bias and bias / math.sqrt(o.terms)
  end
  return {weight = tensor.stack(weights), bias = #biases > 0 and tensor.stack(biases) or nil}
end

--- galerkin{sizes = {d, ..., d}, basis = "fourier", terms = 3, ...}: a multilayer perceptron f(t, y) whose
-- weights are sums of `terms` functions of t with coefficients that are trained.
function M.galerkin(opts)
  local o = options.check("nn.galerkin", opts, galerkin_spec)
  if #o.sizes < 2 then raise("nn.galerkin: sizes needs two or more entries, got " .. #o.sizes) end
  local sizes = {}
  for i, n in ipairs(o.sizes) do sizes[i] = arguments.size("nn.galerkin", "sizes[" .. i .. "]", n) end
  local own = initial.with_seed(o.seed, function()
    local list = {}
    for i = 1, #sizes - 1 do list[i] = coefficients(sizes[i], sizes[i + 1], o) end
    return list
  end)
  return make_galerkin{layers = own, act = activations.check("nn.galerkin", o.act), basis = o.basis,
    terms = o.terms, span = {o.span[1], o.span[2]}}
end

-- ---- fields of fields ----

local function check_field(where, field)
  local meta = getmetatable(field)
  if type(field) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise(where .. ": field must be a function f(t, y), got " .. options.show(field))
  end
  return field
end

local make_controlled = class("nn.data_controlled", "field axis", function()
  raise("nn.data_controlled: this field sees the state that a solve starts from; give it to nn.odeblock and "
    .. "call the block")
end, {
  -- For odeblock: the field of the solve that starts from x.
  _at_start = function(self, x)
    tree._check_tensor(x, "nn.data_controlled")
    return function(t, y) return self.field(t, tensor.cat({y, x}, self.axis)) end
  end})

--- data_controlled(field, {axis = 2}): in an ODE block the field sees the state beside the block's input,
-- f(t, {y, x}), so that each sample has a flow of its own.
function M.data_controlled(field, opts)
  local o = options.check("nn.data_controlled", opts, {axis = {"integer", default = 2}}, 3)
  return make_controlled{field = check_field("nn.data_controlled", field), axis = o.axis}
end

local make_second = class("nn.second_order", "field order axis", function(self, t, y)
  local shape = tree._check_tensor(y, "nn.second_order"):shape()
  local n = shape[self.axis] or 0
  local part = n // self.order
  if part == 0 or n % self.order ~= 0 then
    raise(("nn.second_order: axis %d of the state holds %d parts of one size (position, velocity), got shape "
      .. "{%s}"):format(self.axis, self.order, table.concat(shape, ", ")))
  end
  local top = self.field(t, y)
  shape[self.axis] = part
  if not tree.is_tensor(top) or table.concat(top:shape(), ",") ~= table.concat(shape, ",") then
    raise(("nn.second_order: the field must give the highest derivative, shape {%s}, got %s"):format(
      table.concat(shape, ", "), tree.is_tensor(top) and "{" .. table.concat(top:shape(), ", ") .. "}"
      or options.show(top)))
  end
  return tensor.cat({y:slice(self.axis, part + 1, n), top}, self.axis)
end)

--- second_order(field, {order = 2, axis = 2}): the state is {x, v} along the axis, dx/dt = v and dv/dt =
-- field(t, {x, v}); order = k: {x, x', ...} of k parts.
function M.second_order(field, opts)
  local o = options.check("nn.second_order", opts, {order = {"integer", default = 2,
    check = options.between(2, 100)}, axis = {"integer", default = 2, check = count}}, 3)
  return make_second{field = check_field("nn.second_order", field), order = o.order, axis = o.axis}
end

return M
