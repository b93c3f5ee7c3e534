--- The ResNet that Augmented Neural ODEs compares itself with.

local activations = require "tide.nn.activations"
local arguments = require "tide.nn.arguments"
local class = require "tide.nn.model_class"
local initial = require "tide.nn.initial"
local layers = require "tide.nn.layers"
local options = require "tide.base.options"

local M = {}
local count = options.at_least(1)

local function resnet_features(self, x)
  arguments.input("nn.resnet", self, x)
  for _, block in ipairs(self.blocks) do
    x = x + activations.apply(block[2](activations.apply(block[1](x), self.act)), self.act)
  end
  return x
end

local make_resnet = class("nn.resnet", "input blocks act out",
  function(self, x) return self.out(resnet_features(self, x)) end, {features = resnet_features})

local resnet_spec = initial.options{
  dim = {"integer", required = true, check = count}, hidden = {"integer", default = 32, check = count},
  layers = {"integer", default = 5, check = options.between(0, 10000)},
  out = {"integer", default = 1, check = count},
  act = {"string", default = "relu"},
}

--- The paper's ResNet: blocks x + relu(W2 relu(W1 x)), then a linear read-out. The branch ends in an
-- activation, as in the authors' code.
function M.resnet(opts)
  local o = options.check("nn.resnet", opts, resnet_spec)
  return initial.with_seed(o.seed, function()
    local lo, list = initial.for_layers(o), {}
    for i = 1, o.layers do
      list[i] = {layers.linear(o.dim, o.hidden, lo), layers.linear(o.hidden, o.dim, lo)}
    end
    return make_resnet{input = {o.dim}, blocks = list, act = activations.check("nn.resnet", o.act),
      out = layers.linear(o.dim, o.out, lo)}
  end)
end

return M
