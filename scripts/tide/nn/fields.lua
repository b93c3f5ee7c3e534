--- Fields, called as field(t, y): what an ODE block solves.

local activations = require "tide.nn.activations"
local arguments = require "tide.nn.arguments"
local autodiff = require "tide.tensor.autodiff"
local class = require "tide.nn.model_class"
local core = require "tide.core"
local initial = require "tide.nn.initial"
local layers = require "tide.nn.layers"
local options = require "tide.base.options"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise
local count = options.at_least(1)

-- t as one more entry of an axis of y, after the others: a feature of the last axis (mlp), a plane of
-- channels (axis 2, convolutions).
local function with_time(t, y, axis)
  local shape = y:shape()
  if not tree.is_tensor(t) then t = core.full({}, t, y:dtype()) end
  shape[axis] = 1
  return tensor.cat({y, t:to(y:dtype()):broadcast_to(shape)}, axis)
end

-- A model that is called as f(t, y) when it depends on time, and as f(y) or f(t, y) when it does not.
local function field_arguments(where, self, a, b)
  if tree.is_tensor(b) then return a, b end
  if not tree.is_tensor(a) then
    raise(("%s: y of field(t, y) or field(y) must be a tensor, got %s"):format(where,
      options.show(b == nil and a or b)))
  end
  if self.time then raise(where .. ": this field depends on time; call it as field(t, y)") end
  return nil, a
end

-- With one or two hidden layers the trace of the Jacobian takes no product for each number of a sample:
-- tr(W3 S2 W2 S1 W1) = s2^T (W2 o (W1 W3)^T) s1 where S = diag(s) are the slopes of the activations, and
-- tr(W2 S1 W1) = diag(W1 W2) s1. Returns f and it for y {N, d}, nil where the layers are others.
local function mlp_divergence(self, t, y)
  local list, n = self.layers, #self.layers
  for i = 1, n do
    local meta = getmetatable(list[i])
    if type(meta) ~= "table" or meta.__name ~= "nn.linear" then return nil end
  end
  if n < 2 or n > 3 or y:rank() ~= 2 or #list[n].weight ~= y:shape()[2] then return nil end
  local x, slopes = self.time and with_time(t, y, 2) or y, {}
  for i = 1, n - 1 do
    local pull
    x, pull = autodiff.vjp(function(v) return activations.apply(v, self.act) end, list[i](x))
    slopes[i] = pull(core.full({}, 1, x:dtype()):broadcast_to(x:shape()))
  end
  local first = list[1].weight:slice(2, 1, y:shape()[2])
  if n == 2 then return list[2](x), slopes[1]:matmul((first * list[2].weight:transpose())
    :sum(2, true)):reshape{-1} end
  local through = list[2].weight:transpose() * first:matmul(list[3].weight)
  return list[3](x), (slopes[1]:matmul(through) * slopes[2]):sum(2)
end

local make_mlp = class("nn.mlp", "layers act time", function(self, a, b)
  local t, y = field_arguments("nn.mlp", self, a, b)
  local x = self.time and with_time(t, y, y:rank()) or y
  for i, layer in ipairs(self.layers) do
    x = layer(x)
    if i < #self.layers then x = activations.apply(x, self.act) end
  end
  return x
end, {_with_divergence = mlp_divergence})

local mlp_spec = initial.options{sizes = {"table", required = true}, act = {"string", default = "relu"},
  time = {"boolean", default = false}}

--- A multilayer perceptron, activation between the layers. time = true: t joins the input of the first layer
-- (sizes[1] + 1 inputs).
function M.mlp(opts)
  local o = options.check("nn.mlp", opts, mlp_spec)
  if #o.sizes < 2 then raise("nn.mlp: sizes needs two or more entries, got " .. #o.sizes) end
  for i = 1, #o.sizes do arguments.size("nn.mlp", "sizes[" .. i .. "]", o.sizes[i]) end
  local own = initial.with_seed(o.seed, function()
    local list = {}
    for i = 1, #o.sizes - 1 do
      local extra = i == 1 and o.time and 1 or 0
      list[i] = layers.linear(o.sizes[i] + extra, o.sizes[i + 1], initial.for_layers(o))
    end
    return list
  end)
  return make_mlp{layers = own, act = activations.check("nn.mlp", o.act), time = o.time}
end

local make_conv_field = class("nn.conv_field", "layers act time", function(self, a, b)
  local t, x = field_arguments("nn.conv_field", self, a, b)
  for i, layer in ipairs(self.layers) do
    x = layer(self.time and with_time(t, x, 2) or x)
    if i < #self.layers then x = activations.apply(x, self.act) end
  end
  return x
end)

local conv_field_spec = initial.options{
  channels = {"integer", required = true, check = count},
  filters = {"integer", required = true, check = count},
  act = {"string", default = "relu"}, time = {"boolean", default = false},
  dims = {"integer", default = 2, check = options.one_of{1, 2}},
}

--- The convolutional field of both papers: 1 -> 3 (padding 1) -> 1, activation between; time = true adds t as
-- a plane to every input.
function M.conv_field(opts)
  local o = options.check("nn.conv_field", opts, conv_field_spec)
  local extra, conv = o.time and 1 or 0, o.dims == 1 and layers.conv1d or layers.conv2d
  local lo, middle = initial.for_layers(o), initial.for_layers(o)
  middle.padding = 1
  local own = initial.with_seed(o.seed, function()
    return {conv(o.channels + extra, o.filters, 1, lo), conv(o.filters + extra, o.filters, 3, middle),
      conv(o.filters + extra, o.channels, 1, lo)}
  end)
  return make_conv_field{layers = own, act = activations.check("nn.conv_field", o.act), time = o.time}
end

return M
