--- Spectral normalisation: a layer whose weight is divided by its largest singular value.
--
-- Source: T. Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018), algorithm 1.

local class = require "tide.nn.model_class"
local core = require "tide.core"
local linalg = require "tide.tensor.linalg"
local mode = require "tide.nn.mode"
local options = require "tide.base.options"
local tree = require "tide.base.tree"
local updates = require "tide.tensor.updates"

local M = {}

-- The weight as a matrix, outputs first.
local function matrix(layer)
  local w, meta = layer.weight, getmetatable(layer)
  if meta.__name:find("conv_transpose", 1, true) then w = w:transpose(1, 2) end
  local rows, columns = w:shape()[1], 1
  for i = 2, w:rank() do columns = columns * w:shape()[i] end
  return w:reshape{rows, columns}
end

local function unit(x, eps) return x / x:square():sum():sqrt():maximum(eps) end

-- Steps of the power method from u, {rows}: better u and v.
local function iterate(w, u, n, eps)
  local v
  for _ = 1, n do
    v = unit(w:transpose():matmul(u), eps)
    u = unit(w:matmul(v), eps)
  end
  return u, v
end

local function largest(self, w)
  if self.exact then return linalg.svdvals(w):select(-1, 1) end
  local u, v = updates.current(self.u), updates.current(self.v)
  if mode.training() then
    u, v = iterate(w:stop_gradient(), u, self.iterations, self.eps)
    updates.assign("nn.spectral_norm", self.u, u)
    updates.assign("nn.spectral_norm", self.v, v)
  end
  return (u:stop_gradient() * w:matmul(v:stop_gradient())):sum()
end

local make = class("nn.spectral_norm", "layer exact iterations eps", function(self, x, opts)
  local own = {}
  for key, value in pairs(self.layer) do own[key] = value end
  own.weight = self.layer.weight / largest(self, matrix(self.layer))
  return setmetatable(own, getmetatable(self.layer))(x, opts)
end, nil, nil, "u v")

local spec = {iterations = {"integer", default = 1, check = options.at_least(1)},
  eps = {"number", default = 1e-12, check = options.positive}, exact = {"boolean", default = false}}

--- spectral_norm(layer, {iterations = 1, exact = false}): the layer with weight / sigma. sigma is estimated
-- by the power method, whose vectors u and v are buffers that training moves; exact: by a singular value
-- decomposition, as a field needs it.
function M.spectral_norm(layer, opts)
  local o = options.check("nn.spectral_norm", opts, spec, 3)
  if type(layer) ~= "table" or not tree.is_tensor(layer.weight) or layer.weight:rank() < 2
    or type(getmetatable(layer)) ~= "table" or not getmetatable(layer).__name then
    core.raise("nn.spectral_norm: the layer must be one with a weight (nn.linear, nn.conv2d, ...), got "
      .. options.show(layer))
  end
  local own = {layer = layer, exact = o.exact, iterations = o.iterations, eps = o.eps}
  if not o.exact then
    local w = matrix(layer)
    own.u, own.v = iterate(w, unit(core.random("normal", {#w}, w:dtype()), o.eps), 15, o.eps)
    own.u, own.v = own.u:clone(), own.v:clone()
  end
  return make(own)
end

return M
