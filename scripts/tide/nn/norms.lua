--- Layers that bring numbers to mean 0 and variance 1, PyTorch's: over features, groups of channels, batches.
--
-- Source: J. Ba, J. Kiros, G. Hinton, Layer Normalization (2016); Y. Wu, K. He, Group Normalization (2018);
-- S. Ioffe, C. Szegedy, Batch Normalization (2015).

local arguments = require "tide.nn.arguments"
local class = require "tide.nn.model_class"
local core = require "tide.core"
local mode = require "tide.nn.mode"
local options = require "tide.base.options"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"
local updates = require "tide.tensor.updates"

local M = {}
local raise = core.raise

local function spec_of(more)
  local spec = {eps = {"number", default = 1e-5, check = options.positive},
    affine = {"boolean", default = true}, dtype = tensor._dtype_rule}
  for name, rule in pairs(more or {}) do spec[name] = rule end
  return spec
end

local function scale_and_shift(shape, o)
  if not o.affine then return nil end
  return core.full(shape, 1, o.dtype), o.bias ~= false and core.full(shape, 0, o.dtype) or nil
end

-- ---- layers ----

local make_layer_norm = class("nn.layer_norm", "weight bias shape eps", function(self, x)
  local shape, wanted, axes = tree._check_tensor(x, "nn.layer_norm"):shape(), self.shape, {}
  for i, n in ipairs(wanted) do
    local at = #shape - #wanted + i
    if shape[at] ~= n then
      raise(("nn.layer_norm: x must end in the axes {%s}, got shape %s"):format(table.concat(wanted, ", "),
        tree._shape_text(x)))
    end
    axes[i] = at
  end
  local y = M._normalized(x, axes, self.eps)
  if self.weight then y = y * self.weight end
  return self.bias and y + self.bias or y
end)

local layer_spec = spec_of{bias = {"boolean", default = true}}

--- layer_norm(shape, opts): over the last axes, which have these lengths (a number: one axis); a weight and a
-- bias for each of their elements.
function M.layer_norm(shape, opts)
  local o, own = options.check("nn.layer_norm", opts, layer_spec, 3), {}
  for i, n in ipairs(type(shape) == "table" and shape or {shape}) do
    own[i] = arguments.size("nn.layer_norm", type(shape) == "table" and "shape[" .. i .. "]" or "shape", n)
  end
  if #own == 0 then
    raise("nn.layer_norm: shape must be an integer or a list of them, got " .. options.show(shape))
  end
  local weight, bias = scale_and_shift(own, o)
  return make_layer_norm{weight = weight, bias = bias, shape = own, eps = o.eps}
end

-- ---- channels ----

-- x N,C,...: its shape, and that of what has one number for each channel.
local function channels_of(where, x, channels, ranks)
  local shape = tree._check_tensor(x, where):shape()
  if shape[2] ~= channels or ranks and not ranks[#shape] then
    raise(("%s: x must have shape N,%d%s, got %s"):format(where, channels, ranks and ranks.text or ",...",
      tree._shape_text(x)))
  end
  local beside = {channels}
  for i = 3, #shape do beside[i - 1] = 1 end
  return shape, beside
end

local make_group_norm = class("nn.group_norm", "weight bias groups channels eps", function(self, x)
  local shape, beside = channels_of("nn.group_norm", x, self.channels)
  local rest = 1
  for i = 3, #shape do rest = rest * shape[i] end
  local grouped = x:reshape{shape[1], self.groups, self.channels // self.groups * rest}
  local y = M._normalized(grouped, {3}, self.eps):reshape(shape)
  return self.weight and y * self.weight:reshape(beside) + self.bias:reshape(beside) or y
end)

local group_spec = spec_of()

--- group_norm(groups, channels, opts): of each sample, over so many groups of channels and all pixels; a
-- weight and a bias for each channel.
function M.group_norm(groups, channels, opts)
  local o = options.check("nn.group_norm", opts, group_spec, 3)
  groups = arguments.size("nn.group_norm", "groups", groups)
  channels = arguments.size("nn.group_norm", "channels", channels)
  if channels % groups ~= 0 then
    raise(("nn.group_norm: groups = %d must divide channels = %d"):format(groups, channels))
  end
  local weight, bias = scale_and_shift({channels}, o)
  return make_group_norm{weight = weight, bias = bias, groups = groups, channels = channels, eps = o.eps}
end

-- ---- batches ----

-- By mean and variance of the batch for each channel; the running ones move towards them, the variance with
-- the divisor n - 1, as in PyTorch.
local function normalised_by_batch(where, self, x, shape)
  local count = shape[1]
  for i = 3, #shape do count = count * shape[i] end
  if count < 2 then
    raise(("%s: the variance of one number for each channel is 0; training needs more, got x of shape %s; "
      .. "evaluate with {training = false}"):format(where, tree._shape_text(x)))
  end
  x = x:reshape{shape[1], shape[2], count // shape[1]}
  local moments = core.apply("moments", {}, x)
  local mean, variance = moments:slice(1, 1, 1), moments:slice(1, 2, 2)
  if self.running_mean then
    local m = self.momentum
    local function move(name, value)
      local old = updates.current(self[name])
      updates.assign(where, self[name], old * (1 - m)
        + value:reshape{self.channels}:stop_gradient():to(old:dtype()) * m)
    end
    move("running_mean", mean)
    move("running_var", variance * (count / (count - 1)))
  end
  local function row(one, otherwise)
    return one and one:reshape{1, self.channels} or core.full({1, self.channels}, otherwise, x:dtype())
  end
  return core.apply("normalise", {}, x, tensor.cat{mean, (variance + self.eps) ^ -0.5},
    tensor.cat{row(self.bias, 0), row(self.weight, 1)}):reshape(shape)
end

local function batch_norm(where, ranks)
  return function(self, x)
    local shape, beside = channels_of(where, x, self.channels, ranks)
    if mode.training() or not self.running_mean then
      return normalised_by_batch(where, self, x, shape)
    end
    local y = (x - updates.current(self.running_mean):reshape(beside))
      * (updates.current(self.running_var):reshape(beside) + self.eps) ^ -0.5
    return self.weight and y * self.weight:reshape(beside) + self.bias:reshape(beside) or y
  end
end

local batch_spec = spec_of{momentum = {"number", default = 0.1, check = options.between(0, 1)},
  track_running_stats = {"boolean", default = true}}

for name, ranks in pairs{
  batch_norm = {[2] = true, [3] = true, [4] = true, text = ", N,C,L or N,C,H,W with these channels"},
  batch_norm1d = {[2] = true, [3] = true, text = " or N,C,L with these channels"},
  batch_norm2d = {[4] = true, text = ",H,W"}} do
  local where = "nn." .. name
  local make = class(where, "weight bias channels eps momentum", batch_norm(where, ranks), nil, nil,
    "running_mean running_var")
  --- batch_norm(channels, opts), and batch_norm1d, batch_norm2d, which say what x must be: over the batch and
  -- all pixels; a weight and a bias for each channel. Evaluation uses running statistics, which training
  -- moves by momentum.
  M[name] = function(channels, opts)
    local o = options.check(where, opts, batch_spec, 3)
    channels = arguments.size(where, "channels", channels)
    local weight, bias = scale_and_shift({channels}, o)
    local own = {weight = weight, bias = bias, channels = channels, eps = o.eps, momentum = o.momentum}
    if o.track_running_stats then
      own.running_mean, own.running_var = core.full({channels}, 0, o.dtype), core.full({channels}, 1, o.dtype)
    end
    return make(own)
  end
end

-- ---- what they do ----

--- (x - mean) / sqrt(variance + eps) over some axes.
function M._normalized(x, axes, eps)
  local centred = x - x:mean(axes, true)
  return centred * (centred:square():mean(axes, true) + eps) ^ -0.5
end

-- ---- dropout ----

local make_dropout = class("nn.dropout", "p", function(self, x)
  local shape = tree._check_tensor(x, "nn.dropout"):shape()
  if not mode.training() or self.p == 0 then return x end
  local dtype = x:dtype()
  local kept = core.random("uniform", shape, dtype):ge(self.p):to(dtype)
  return x * (self.p == 1 and kept or kept * (1 / (1 - self.p)))
end)

--- dropout(p): each number is 0 with probability p, else divided by 1 - p; new numbers are drawn at each run,
-- inside a field once per solve. Evaluation leaves x as it is.
function M.dropout(p)
  if p == nil then p = 0.5 end
  if type(p) ~= "number" or not (p >= 0 and p <= 1) then
    raise("nn.dropout: p must be a number in 0..1, got " .. options.show(p))
  end
  return make_dropout{p = p}
end

return M
