--- Activations by name: methods of tensors, and "identity".

local class = require "tide.nn.model_class"
local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}

local names = {"relu", "tanh", "sigmoid", "softplus", "gelu", "silu", "elu", "selu", "celu", "leaky_relu",
  "mish", "relu6", "hardtanh", "hardsigmoid", "hardswish", "log_sigmoid", "softsign", "erf", "atan", "sin",
  "cos", "exp", "abs", "square", "identity"}

--- The name, or an error of `where` that lists those there are.
function M.check(where, name)
  for _, known in ipairs(names) do if known == name then return name end end
  core.raise(("%s: %s"):format(where, options.unknown("activation", name, names)))
end

--- The activation called `name` of x.
function M.apply(x, name)
  if name == "identity" then return x end
  return x[M.check("nn", name)](x)
end

local make = class("nn.activation", "act", function(self, x)
  return M.apply(tree._check_tensor(x, "nn.activation"), self.act)
end)

--- The activation called `name` as a layer.
function M.layer(name) return make{act = M.check("nn.activation", name)} end

return M
