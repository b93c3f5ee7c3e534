--- Whole models around one ODE block, as in Augmented Neural ODEs (Dupont, Doucet, Teh 2019).

local arguments = require "tide.nn.arguments"
local blocks = require "tide.nn.blocks"
local class = require "tide.nn.model_class"
local core = require "tide.core"
local fields = require "tide.nn.fields"
local initial = require "tide.nn.initial"
local layers = require "tide.nn.layers"
local options = require "tide.base.options"

local M = {}
local raise = core.raise
local count = options.at_least(1)

-- Nets of augment -> odeblock -> read-out, with access to what happens inside.
local function name_of(self) return self.flatten and "nn.conv_odenet" or "nn.odenet" end
local function start_of(self, x) return self.augment(arguments.input(name_of(self), self, x)) end
local odenet_methods = {}
--- Features: the state at the end of the ODE block, before the read-out.
function odenet_methods.features(self, x, opts)
  return (blocks._end(name_of(self), self.block, start_of(self, x), opts))
end
--- States of the ODE block at the given times, {n_times, N, ...}.
function odenet_methods.trajectory(self, x, times, opts)
  return blocks._trajectory(name_of(self), self.block, start_of(self, x), times, opts)
end

local make_odenet = class("nn.odenet", "input augment block flatten out", function(self, x, opts)
  local h = self:features(x, opts)
  if self.flatten then h = h:flatten(2) end
  return self.out and self.out(h) or h
end, odenet_methods, {solver = "block.solver", field = "block.field"})

local paper_solver = {method = "dopri5", rtol = 1e-3, atol = 1e-3}

local odenet_spec = initial.options{
  dim = {"integer", required = true, check = count}, hidden = {"integer", default = 32, check = count},
  augment = {"integer", default = 0, check = options.at_least(0)},
  out = {"integer", default = 1, check = count},
  time = {"boolean", default = true}, act = {"string", default = "relu"}, solver = {"table"},
  readout = {"boolean", default = true},
}

--- The toy architecture of Augmented Neural ODEs (appendix F): MLP field d+p -> hidden -> hidden -> d+p, then
-- a linear read-out. augment = p zero dimensions; readout = false: the state itself is the prediction (figure
-- 3).
function M.odenet(opts)
  local o = options.check("nn.odenet", opts, odenet_spec)
  local width, solver = o.dim + o.augment, blocks._checked("nn.odenet", o.solver or paper_solver)
  return initial.with_seed(o.seed, function()
    local lo = initial.for_layers(o)
    local field = fields.mlp{sizes = {width, o.hidden, o.hidden, width}, act = o.act, time = o.time,
      init = o.init, std = o.std, bias = o.bias, dtype = o.dtype}
    return make_odenet{input = {o.dim}, augment = layers.augment(o.augment),
      block = blocks._with(field, solver),
      out = o.readout and layers.linear(width, o.out, lo) or nil}
  end)
end

local conv_odenet_spec = initial.options{
  image = {"table", required = true}, filters = {"integer", required = true, check = count},
  augment = {"integer", default = 0, check = options.at_least(0)},
  classes = {"integer", default = 10, check = count},
  time = {"boolean", default = false}, act = {"string", default = "relu"}, solver = {"table"},
}

--- The image architecture of Augmented Neural ODEs: 1x1 -> 3x3 -> 1x1 convolutions on the pixels and p zero
-- channels, flatten, linear. The published parameter counts are those of time = false (the default); the
-- published configurations say true. image = {channels, length} is a signal, with convolutions along its
-- length.
function M.conv_odenet(opts)
  local o = options.check("nn.conv_odenet", opts, conv_odenet_spec)
  local input, dims = {}, #o.image - 1
  if dims ~= 1 and dims ~= 2 then
    raise("nn.conv_odenet: image must be {channels, height, width}, or {channels, length} for signals, got a "
      .. "table of " .. #o.image)
  end
  for i = 1, #o.image do input[i] = arguments.size("nn.conv_odenet", "image[" .. i .. "]", o.image[i]) end
  local channels, solver = input[1] + o.augment, blocks._checked("nn.conv_odenet", o.solver or paper_solver)
  return initial.with_seed(o.seed, function()
    local field = fields.conv_field{channels = channels, filters = o.filters, act = o.act, time = o.time,
      init = o.init, std = o.std, bias = o.bias, dtype = o.dtype, dims = dims}
    return make_odenet{input = input, augment = layers.augment(o.augment),
      block = blocks._with(field, solver), flatten = true,
      out = layers.linear(channels * input[2] * (input[3] or 1), o.classes, initial.for_layers(o))}
  end)
end

return M
