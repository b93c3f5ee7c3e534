--- Convolutions of one and two dimensions: PyTorch's cross-correlation with zero padding, over the engine's
-- op on images.

local core = require "tide.core"
local arguments = require "tide.tensor.arguments"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local apply, raise, check_tensor, integer = core.apply, core.raise, tree._check_tensor, options.integer
local per_axis = arguments.per_axis

local conv_spec = {
  stride = {"integer|table", default = 1}, padding = {"integer|table", default = 0},
  dilation = {"integer|table", default = 1}, groups = {"integer", default = 1},
}

local function check_rank(where, what, x, rank, axes)
  if check_tensor(x, where):rank() ~= rank then
    raise(("%s: %s must have shape %s, got {%s}"):format(where, what, axes, table.concat(x:shape(), ", ")))
  end
end

local function add_bias(where, y, b, filters, rank)
  if b == nil then return y end
  local shape = check_tensor(b, where):shape()
  if #shape ~= 1 or shape[1] ~= filters then
    raise(("%s: b must have shape {%d}, got {%s}"):format(where, filters, table.concat(shape, ", ")))
  end
  return y + b:reshape(rank == 4 and {filters, 1, 1} or {filters, 1})
end

function M.conv2d(x, w, b, opts)
  local o = options.check("tide.conv2d", opts, conv_spec)
  check_rank("tide.conv2d", "x", x, 4, "N,C,H,W")
  check_rank("tide.conv2d", "w", w, 4, "O,C/groups,kh,kw")
  local sh, sw = per_axis("tide.conv2d", "stride", o.stride, 2)
  local ph, pw = per_axis("tide.conv2d", "padding", o.padding, 2)
  local dh, dw = per_axis("tide.conv2d", "dilation", o.dilation, 2)
  return add_bias("tide.conv2d", apply("conv", {sh, sw, ph, pw, dh, dw, integer(o.groups)}, x, w), b, #w, 4)
end

function M.conv1d(x, w, b, opts)
  local o = options.check("tide.conv1d", opts, conv_spec)
  check_rank("tide.conv1d", "x", x, 3, "N,C,L")
  check_rank("tide.conv1d", "w", w, 3, "O,C/groups,k")
  local sh, sw = per_axis("tide.conv1d", "stride", o.stride, 1, 1)
  local ph, pw = per_axis("tide.conv1d", "padding", o.padding, 1, 0)
  local dh, dw = per_axis("tide.conv1d", "dilation", o.dilation, 1, 1)
  local n, c, l = table.unpack(x:shape())
  local f, cg, k = table.unpack(w:shape())
  local y = apply("conv", {sh, sw, ph, pw, dh, dw, integer(o.groups)}, x:reshape{n, c, 1, l},
    w:reshape{f, cg, 1, k})
  return add_bias("tide.conv1d", y:reshape{n, f, y:shape()[4]}, b, f, 3)
end

-- ---- transposed ----

local transpose_spec = {stride = conv_spec.stride, padding = conv_spec.padding,
  output_padding = {"integer|table", default = 0}, dilation = conv_spec.dilation, groups = conv_spec.groups}

-- Length of the result along one axis, of whose name the options are.
local function transposed_length(where, n, k, s, p, d, more)
  local length = (n - 1) * s - 2 * p + d * (k - 1) + more + 1
  if more < 0 or more >= math.max(s, 1) then
    raise(("%s: output_padding must be at least 0 and less than the stride of %d, got %d"):format(where, s,
      more))
  end
  if length < 1 then
    raise(("%s: padding %d leaves nothing of a result of %d"):format(where, p, length + 2 * p))
  end
  return length
end

local function transposed(where, x, w, o, dims)
  local function both(name, beside) return per_axis(where, name, o[name], dims, beside) end
  local sh, sw = both("stride", 1)
  local ph, pw = both("padding", 0)
  local dh, dw = both("dilation", 1)
  local more_h, more_w = both("output_padding", 0)
  local groups, xs, ws = integer(o.groups), x:shape(), w:shape()
  if xs[2] ~= ws[1] or groups < 1 or ws[1] % groups ~= 0 then
    raise(("%s: w must have shape C_in,C_out/groups,%s with C_in = %d, and groups must divide it; got {%s} "
      .. "and groups = %d"):format(where, dims == 2 and "kh,kw" or "k", xs[2], table.concat(ws, ", "),
      groups))
  end
  local h = transposed_length(where, xs[3], ws[3], sh, ph, dh, more_h)
  local l = transposed_length(where, xs[4], ws[4], sw, pw, dw, more_w)
  return apply("conv_dx", {sh, sw, ph, pw, dh, dw, groups, h, l}, x, w), ws[2] * groups
end

--- The transpose of conv2d, as a map of x, with PyTorch's sizes: (n - 1) stride - 2 padding + dilation (k -
-- 1) + output_padding + 1. x N,C_in,H,W; w C_in,C_out/groups,kh,kw; b C_out or nil.
function M.conv_transpose2d(x, w, b, opts)
  local where = "tide.conv_transpose2d"
  local o = options.check(where, opts, transpose_spec)
  check_rank(where, "x", x, 4, "N,C,H,W")
  check_rank(where, "w", w, 4, "C_in,C_out/groups,kh,kw")
  local y, filters = transposed(where, x, w, o, 2)
  return add_bias(where, y, b, filters, 4)
end

function M.conv_transpose1d(x, w, b, opts)
  local where = "tide.conv_transpose1d"
  local o = options.check(where, opts, transpose_spec)
  check_rank(where, "x", x, 3, "N,C,L")
  check_rank(where, "w", w, 3, "C_in,C_out/groups,k")
  local xs, ws = x:shape(), w:shape()
  local y, filters = transposed(where, x:reshape{xs[1], xs[2], 1, xs[3]},
    w:reshape{ws[1], ws[2], 1, ws[3]}, o, 1)
  local ys = y:shape()
  return add_bias(where, y:reshape{ys[1], ys[2], ys[4]}, b, filters, 3)
end

return M
