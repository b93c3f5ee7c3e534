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
local count = options.at_least(1)

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

local function conv_layer(where, make, c_in, c_out, k, opts, axes)
  local o = options.check(where, opts, conv_spec, 3)
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

local make_flatten = class("nn.flatten", "", function(_, x)
  return tree._check_tensor(x, "nn.flatten"):rank() == 1 and x:reshape{#x, 1} or x:flatten(2)
end)
--- N,... to N,features.
function M.flatten() return make_flatten{} end

-- Zeros beside the features (N,d) or channels (N,C,...) of x, after them.
local make_augment = class("nn.augment", "p", function(self, x)
  tree._check_tensor(x, "nn.augment")
  if self.p == 0 then return x end
  local shape = x:shape()
  if #shape < 2 then
    raise(("nn.augment: x must have shape N,d or N,C,..., got {%s}"):format(table.concat(shape, ", ")))
  end
  shape[2] = self.p
  return tensor.cat({x, core.full({}, 0, x:dtype()):broadcast_to(shape)}, 2)
end)
--- Append p zero features (N,d) or channels (N,C,...): the A of ANODE.
function M.augment(p)
  if type(p) ~= "number" or not math.tointeger(p) or p < 0 then
    raise("nn.augment: p must be an integer >= 0, got " .. options.show(p))
  end
  return make_augment{p = math.tointeger(p)}
end

local make_chain = class("nn.chain", "", function(self, x, opts)
  for _, layer in ipairs(self) do x = layer(x, opts) end
  return x
end)
--- Layers one after the other; a name ("relu") stands for that activation.
function M.chain(layers)
  if type(layers) ~= "table" then
    raise("nn.chain: expected a list of layers, got " .. options.show(layers))
  end
  local list = {}
  for i, layer in ipairs(layers) do
    list[i] = type(layer) == "string" and activations.layer(layer) or layer
    local meta = getmetatable(list[i])
    if type(list[i]) ~= "function" and not (type(meta) == "table" and meta.__call) then
      raise(("nn.chain: layer %d must be a layer, a function or the name of an activation, got %s"):format(
        i, options.show(layer)))
    end
  end
  return make_chain(list)
end

return M
