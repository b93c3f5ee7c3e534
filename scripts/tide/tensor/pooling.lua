--- Windows over signals and images, with PyTorch's sizes: largest numbers, averages.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local apply, raise, per_axis = core.apply, core.raise, arguments.per_axis

local rules = {
  stride = {"integer|table"}, padding = {"integer|table", default = 0},
  dilation = {"integer|table", default = 1}, ceil_mode = {"boolean", default = false},
  count_include_pad = {"boolean", default = true},
  divisor_override = {"integer", check = options.at_least(1)},
}
local function spec_of(names)
  local spec = {}
  for name in names:gmatch("%S+") do spec[name] = rules[name] end
  return spec
end
local max_spec = spec_of "stride padding dilation ceil_mode"
local avg_spec = {[1] = spec_of "stride padding ceil_mode count_include_pad",
  [2] = spec_of "stride padding ceil_mode count_include_pad divisor_override"}

-- x as N,C,H,W of floats.
local function images(where, x, dims)
  local shape = tree._check_tensor(x, where):shape()
  if #shape ~= dims + 2 then
    raise(("%s: x must have shape %s, got {%s}"):format(where, dims == 2 and "N,C,H,W" or "N,C,L",
      table.concat(shape, ", ")))
  end
  local dtype = x:dtype()
  if dtype ~= "float32" and dtype ~= "float64" then x = x:to(arguments.dtype_rule.default) end
  return dims == 2 and x or x:reshape{shape[1], shape[2], 1, shape[3]}
end

local function result(y, dims)
  if dims == 2 then return y end
  local shape = y:shape()
  return y:reshape{shape[1], shape[2], shape[4]}
end

-- Attributes of the engine's op, see core/autodiff/ops.def.
local function attributes(where, dims, kernel, o)
  local kh, kw = per_axis(where, "kernel_size", kernel, dims, 1)
  local sh, sw = kh, kw
  if o.stride ~= nil then sh, sw = per_axis(where, "stride", o.stride, dims, 1) end
  local ph, pw = per_axis(where, "padding", o.padding, dims, 0)
  local dh, dw = 1, 1
  if o.dilation then dh, dw = per_axis(where, "dilation", o.dilation, dims, 1) end
  return {kh, kw, sh, sw, ph, pw, dh, dw, o.ceil_mode and 1 or 0, 0, o.count_include_pad and 1 or 0,
    o.divisor_override or 0}
end

--- For nn: max(x, kernel, opts), avg(x, kernel, opts), adaptive(x, size) of signals (dims 1) or images (2),
-- and a check of their arguments alone.
function M._max(where, dims)
  local function check(kernel, opts)
    return attributes(where, dims, kernel, options.check(where, opts, max_spec))
  end
  return function(x, kernel, opts)
    local attrs = check(kernel, opts)
    x = images(where, x, dims)
    return result(apply("pool_pick", {}, x, apply("pool_positions", attrs, x)), dims)
  end, check
end

function M._avg(where, dims)
  local function check(kernel, opts)
    return attributes(where, dims, kernel, options.check(where, opts, avg_spec[dims]))
  end
  return function(x, kernel, opts)
    local attrs = check(kernel, opts)
    return result(apply("avg_pool", attrs, images(where, x, dims)), dims)
  end, check
end

function M._adaptive(where, dims)
  local function check(size)
    local h, w = per_axis(where, "size", size, dims, 1)
    return {h, w, 1, 1, 0, 0, 1, 1, 0, 1, 0, 0}
  end
  return function(x, size)
    local attrs = check(size)
    return result(apply("avg_pool", attrs, images(where, x, dims)), dims)
  end, check
end

M.max_pool1d, M.max_pool2d = M._max("tide.max_pool1d", 1), M._max("tide.max_pool2d", 2)
M.avg_pool1d, M.avg_pool2d = M._avg("tide.avg_pool1d", 1), M._avg("tide.avg_pool2d", 2)
M.adaptive_avg_pool1d = M._adaptive("tide.adaptive_avg_pool1d", 1)
M.adaptive_avg_pool2d = M._adaptive("tide.adaptive_avg_pool2d", 2)

return M
