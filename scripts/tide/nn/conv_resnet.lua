--- ResNets for images, of basic blocks.
--
-- Source: K. He et al., Deep Residual Learning for Image Recognition (2016), section 3.3 and figure 5, left.

local activations = require "tide.nn.activations"
local arguments = require "tide.nn.arguments"
local class = require "tide.nn.model_class"
local core = require "tide.core"
local initial = require "tide.nn.initial"
local layers = require "tide.nn.layers"
local norms = require "tide.nn.norms"
local options = require "tide.base.options"

local M = {}
local raise = core.raise
local count = options.at_least(1)

local make_block = class("nn.basic_block", "conv1 norm1 conv2 norm2 shortcut act", function(self, x, opts)
  local y = self.conv1(x)
  if self.norm1 then y = self.norm1(y) end
  y = self.conv2(activations.apply(y, self.act))
  if self.norm2 then y = self.norm2(y) end
  return activations.apply(y + (self.shortcut and self.shortcut(x, opts) or x), self.act)
end)

local function norm_of(o, channels)
  if o.norm == "batch" then return norms.batch_norm2d(channels, {dtype = o.dtype}) end
  if o.norm == "group" then
    return norms.group_norm(math.min(o.groups, channels), channels, {dtype = o.dtype})
  end
  return nil
end

local function conv(o, c_in, c_out, k, stride)
  local lo = initial.for_layers(o)
  lo.stride, lo.padding, lo.bias = stride, k // 2, o.norm == "none" -- a norm takes away what a bias adds
  return layers.conv2d(c_in, c_out, k, lo)
end

local function block(o, c_in, c_out, stride)
  local shortcut
  if stride ~= 1 or c_in ~= c_out then
    shortcut = layers.chain{conv(o, c_in, c_out, 1, stride), norm_of(o, c_out)}
  end
  return make_block{conv1 = conv(o, c_in, c_out, 3, stride), norm1 = norm_of(o, c_out),
    conv2 = conv(o, c_out, c_out, 3, 1), norm2 = norm_of(o, c_out), shortcut = shortcut, act = o.act}
end

local function features(self, x, opts)
  arguments.input("nn.conv_resnet", self, x)
  for _, layer in ipairs(self.stem) do x = layer(x, opts) end
  for _, stage in ipairs(self.stages) do
    for _, one in ipairs(stage) do x = one(x, opts) end
  end
  return x:mean({3, 4})
end

local make_conv_resnet = class("nn.conv_resnet", "input stem stages out",
  function(self, x, opts) return self.out(features(self, x, opts)) end, {features = features})

local spec = initial.options{
  image = {"table", required = true}, classes = {"integer", default = 10, check = count},
  filters = {"table", default = {16, 32, 64}}, blocks = {"table", default = {1, 1, 1}},
  stem = {"string", default = "3x3", check = options.one_of{"3x3", "7x7"}},
  norm = {"string", default = "batch", check = options.one_of{"batch", "group", "none"}},
  groups = {"integer", default = 8, check = count}, act = {"string", default = "relu"},
}
spec.init = {"string", default = "kaiming", check = spec.init.check}

local function check_stages(where, o)
  if #o.filters == 0 or #o.filters ~= #o.blocks then
    raise(("%s: filters and blocks have one entry for each stage, got %d and %d"):format(where, #o.filters,
      #o.blocks))
  end
  for i = 1, #o.filters do
    o.filters[i] = arguments.size(where, "filters[" .. i .. "]", o.filters[i])
    o.blocks[i] = arguments.size(where, "blocks[" .. i .. "]", o.blocks[i])
    if o.norm == "group" and o.filters[i] % math.min(o.groups, o.filters[i]) ~= 0 then
      raise(("%s: groups = %d must divide filters[%d] = %d"):format(where, o.groups, i, o.filters[i]))
    end
  end
end

--- conv_resnet{image = {c, h, w}, filters = {16, 32, 64}, blocks = {1, 1, 1}, ...}: a stem, stages of basic
-- blocks, the mean over the pixels, a linear layer. Each stage but the first halves the image. The stem "7x7"
-- quarters it first, as for ImageNet.
function M.conv_resnet(opts)
  local where, o = "nn.conv_resnet", nil
  o = options.check(where, opts, spec)
  o.filters, o.blocks = {table.unpack(o.filters)}, {table.unpack(o.blocks)}
  check_stages(where, o)
  activations.check(where, o.act)
  if #o.image ~= 3 then
    raise(where .. ": image must be {channels, height, width}, got a table of " .. #o.image)
  end
  local input = {}
  for i = 1, 3 do input[i] = arguments.size(where, "image[" .. i .. "]", o.image[i]) end
  return initial.with_seed(o.seed, function()
    local wide = o.stem == "7x7"
    local stem = {conv(o, input[1], o.filters[1], wide and 7 or 3, wide and 2 or 1)}
    stem[#stem + 1] = norm_of(o, o.filters[1])
    stem[#stem + 1] = activations.layer(o.act)
    if wide then stem[#stem + 1] = require("tide.nn.pools").max_pool2d(3, {stride = 2, padding = 1}) end
    local stages, channels = {}, o.filters[1]
    for i, width in ipairs(o.filters) do
      stages[i] = {}
      for j = 1, o.blocks[i] do
        stages[i][j] = block(o, channels, width, i > 1 and j == 1 and 2 or 1)
        channels = width
      end
    end
    return make_conv_resnet{input = input, stem = stem, stages = stages,
      out = layers.linear(channels, o.classes, {dtype = o.dtype, bias = o.bias})}
  end)
end

return M
