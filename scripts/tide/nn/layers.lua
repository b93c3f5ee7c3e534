--- Layers, called as layer(x, opts): linear, convolutions, flatten, augment, and chains of them.

local activations = require "tide.nn.activations"
local arguments = require "tide.nn.arguments"
local class = require "tide.nn.model_class"
local convolution = require "tide.tensor.convolution"
local core = require "tide.core"
local initial = require "tide.nn.initial"
local options = require "tide.base.options"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {activation = activations.layer}
local raise = core.raise
local count, per_axis = options.at_least(1), require("tide.tensor.arguments").per_axis

local make_linear = class("nn.linear", "weight bias", function(self, x)
  if not tree.is_tensor(self.weight) then
    raise("nn.linear: the layer's weight must be a tensor of shape n_out, n_in, got "
      .. options.show(self.weight))
  end
  arguments.features("nn.linear", x, -1, self.weight:shape()[2])
  local y = core.apply("matmul", {0, 1}, x:rank() == 1 and x:reshape{1, -1} or x, self.weight)
  if x:rank() == 1 then y = y:reshape{-1} end
  return self.bias and y + self.bias or y
end)

local linear_spec = initial.options{}

--- y = x W^T + b, W of shape n_out, n_in.
function M.linear(n_in, n_out, opts)
  local o = options.check("nn.linear", opts, linear_spec)
  n_in, n_out = arguments.size("nn.linear", "n_in", n_in), arguments.size("nn.linear", "n_out", n_out)
  local weight, bias = initial.with_seed(o.seed, function()
    return initial.weights({n_out, n_in}, n_in, n_out, o)
  end)
  return make_linear{weight = weight, bias = bias}
end

local conv_spec = initial.options{
  stride = {"integer|table", default = 1}, padding = {"integer|table", default = 0},
  dilation = {"integer|table", default = 1},
  groups = {"integer", default = 1, check = count},
}

local make_conv1d = class("nn.conv1d", "weight bias conv", function(self, x)
  return convolution.conv1d(x, self.weight, self.bias, self.conv)
end)
local make_conv2d = class("nn.conv2d", "weight bias conv", function(self, x)
  return convolution.conv2d(x, self.weight, self.bias, self.conv)
end)

-- The checked shape of a weight, O,C/groups,k...; the taps of a filter, groups.
local function kernel_shape(where, c_in, c_out, k, o, axes)
  for _, name in ipairs{"stride", "padding", "dilation", "output_padding"} do
    if o[name] then per_axis(where, name, o[name], axes) end
  end
  c_in, c_out = arguments.size(where, "c_in", c_in), arguments.size(where, "c_out", c_out)
  if type(k) ~= "table" then k = axes == 2 and {k, k} or {k} end
  local groups, taps, shape = math.tointeger(o.groups), 1, {c_out, 0}
  if c_in % groups ~= 0 or c_out % groups ~= 0 then
    raise(("%s: groups = %d must divide c_in = %d and c_out = %d"):format(where, groups, c_in, c_out))
  end
  shape[2] = c_in // groups
  for i = 1, axes do
    shape[2 + i] = arguments.size(where, "kernel size", k[i])
    taps = taps * shape[2 + i]
  end
  return shape, taps, groups
end

local function conv_layer(where, make, c_in, c_out, k, opts, axes)
  local o = options.check(where, opts, conv_spec, 3)
  local shape, taps, groups = kernel_shape(where, c_in, c_out, k, o, axes)
  local weight, bias = initial.with_seed(o.seed, function()
    return initial.weights(shape, shape[2] * taps, c_out // groups * taps, o)
  end)
  return make{weight = weight, bias = bias, conv = {stride = o.stride, padding = o.padding,
    dilation = o.dilation, groups = groups}}
end

function M.conv1d(c_in, c_out, k, opts)
  return conv_layer("nn.conv1d", make_conv1d, c_in, c_out, k, opts, 1)
end
function M.conv2d(c_in, c_out, k, opts)
  return conv_layer("nn.conv2d", make_conv2d, c_in, c_out, k, opts, 2)
end

local transpose_spec = initial.options{
  stride = conv_spec.stride, padding = conv_spec.padding, output_padding = {"integer|table", default = 0},
  dilation = conv_spec.dilation, groups = conv_spec.groups,
}
local make_transpose1d = class("nn.conv_transpose1d", "weight bias conv", function(self, x)
  return convolution.conv_transpose1d(x, self.weight, self.bias, self.conv)
end)
local make_transpose2d = class("nn.conv_transpose2d", "weight bias conv", function(self, x)
  return convolution.conv_transpose2d(x, self.weight, self.bias, self.conv)
end)

-- The weight is C_in,C_out/groups,k..., and fan_in counts as PyTorch does: C_out/groups times the taps.
local function transpose_layer(where, make, c_in, c_out, k, opts, axes)
  local o = options.check(where, opts, transpose_spec, 3)
  local shape, taps, groups = kernel_shape(where, c_in, c_out, k, o, axes)
  shape[1], shape[2] = c_in, c_out // groups
  local weight, bias = initial.with_seed(o.seed, function()
    return initial.weights(shape, shape[2] * taps, c_in // groups * taps, o, c_out)
  end)
  return make{weight = weight, bias = bias, conv = {stride = o.stride, padding = o.padding,
    output_padding = o.output_padding, dilation = o.dilation, groups = groups}}
end

function M.conv_transpose1d(c_in, c_out, k, opts)
  return transpose_layer("nn.conv_transpose1d", make_transpose1d, c_in, c_out, k, opts, 1)
end
function M.conv_transpose2d(c_in, c_out, k, opts)
  return transpose_layer("nn.conv_transpose2d", make_transpose2d, c_in, c_out, k, opts, 2)
end

local make_embedding = class("nn.embedding", "weight", function(self, x)
  if tree._check_tensor(x, "nn.embedding"):dtype() ~= "int64" then
    raise(("nn.embedding: x must be an int64 tensor of indices, 1..%d, got %s; convert with x:to(\"int64\")")
      :format(#self.weight, x:dtype()))
  end
  local shape = x:shape()
  shape[#shape + 1] = self.weight:shape()[2]
  return self.weight:take(x:reshape{x:numel()}):reshape(shape)
end)

local embedding_spec = {dtype = tensor._dtype_rule, seed = {"integer"}}

--- embedding(n, dim): rows of a table, weight {n, dim}, at 1-based indices: x of any shape to that shape and
-- dim. The rows begin normal, mean 0 and variance 1, as PyTorch's.
function M.embedding(n, dim, opts)
  local o = options.check("nn.embedding", opts, embedding_spec, 3)
  n, dim = arguments.size("nn.embedding", "n", n), arguments.size("nn.embedding", "dim", dim)
  return make_embedding{weight = initial.with_seed(o.seed, function()
    return core.random("normal", {n, dim}, o.dtype)
  end)}
end

local make_flatten = class("nn.flatten", "", function(_, x)
  return tree._check_tensor(x, "nn.flatten"):rank() == 1 and x:reshape{#x, 1} or x:flatten(2)
end)
--- N,... to N,features.
function M.flatten() return make_flatten{} end

-- Zeros, or what a layer makes of x, beside the features (N,d) or channels (N,C,...) of x, after them.
local make_augment = class("nn.augment", "p layer", function(self, x, opts)
  tree._check_tensor(x, "nn.augment")
  if self.layer then return tensor.cat({x, (self.layer(x, opts))}, 2) end
  if self.p == 0 then return x end
  local shape = x:shape()
  if #shape < 2 then
    raise(("nn.augment: x must have shape N,d or N,C,..., got {%s}"):format(table.concat(shape, ", ")))
  end
  shape[2] = self.p
  return tensor.cat({x, core.full({}, 0, x:dtype()):broadcast_to(shape)}, 2)
end)
local function is_callable(v)
  local meta = getmetatable(v)
  return type(v) == "function" or type(meta) == "table" and meta.__call ~= nil
end

--- Append p zero features (N,d) or channels (N,C,...): the A of ANODE; or those that a layer makes of x.
function M.augment(p)
  if is_callable(p) then return make_augment{layer = p} end
  if type(p) ~= "number" or not math.tointeger(p) or p < 0 then
    raise("nn.augment: p must be an integer >= 0, or a layer that makes features of x, got "
      .. options.show(p))
  end
  return make_augment{p = math.tointeger(p)}
end

local make_chain = class("nn.chain", "", function(self, x, opts)
  for _, layer in ipairs(self) do x = layer(x, opts) end
  return x
end)

-- A list of layers, activations by name among them.
local function layers_of(where, layers)
  if type(layers) ~= "table" then
    raise(("%s: expected a list of layers, got %s"):format(where, options.show(layers)))
  end
  local list = {}
  for i, layer in ipairs(layers) do
    list[i] = type(layer) == "string" and activations.layer(layer) or layer
    if not is_callable(list[i]) then
      raise(("%s: layer %d must be a layer, a function or the name of an activation, got %s"):format(where,
        i, options.show(layer)))
    end
  end
  return list
end

--- Layers one after the other; a name ("relu") stands for that activation.
function M.chain(layers) return make_chain(layers_of("nn.chain", layers)) end

local make_residual = class("nn.residual", "layer shortcut", function(self, x, opts)
  local y = self.layer(x, opts)
  local beside = x
  if self.shortcut then beside = self.shortcut(x, opts) end
  if tree.is_tensor(y) and tree.is_tensor(beside)
    and table.concat(y:shape(), ",") ~= table.concat(beside:shape(), ",") then
    raise(("nn.residual: the layer makes shape {%s} of x, and %s {%s}; give a shortcut that makes the same")
      :format(table.concat(y:shape(), ", "), self.shortcut and "the shortcut" or "x is",
      table.concat(beside:shape(), ", ")))
  end
  return beside + y
end)

--- residual(layer, {shortcut = layer}): x + layer(x), or shortcut(x) + layer(x).
function M.residual(layer, opts)
  local o = options.check("nn.residual", opts, {shortcut = {"any"}}, 3)
  local own = layers_of("nn.residual", {layer or false, o.shortcut})
  return make_residual{layer = own[1], shortcut = own[2]}
end

local make_concat = class("nn.concat", "axis", function(self, x, opts)
  local list = {}
  for i, layer in ipairs(self) do list[i] = layer(x, opts) end
  return tensor.cat(list, self.axis)
end)

--- concat({layer, ...}, {axis = 2}): what each layer makes of x, side by side; {"identity", layer} keeps x.
function M.concat(layers, opts)
  local o = options.check("nn.concat", opts, {axis = {"integer", default = 2}}, 3)
  local own = layers_of("nn.concat", layers)
  if #own == 0 then raise("nn.concat: expected a list of layers, got an empty one") end
  own.axis = o.axis
  return make_concat(own)
end

return M
