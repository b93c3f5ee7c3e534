--- Convolutions of one and two dimensions: PyTorch's cross-correlation with zero padding, over the engine's
-- op on images.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local apply, raise, check_tensor, integer = core.apply, core.raise, tree._check_tensor, options.integer

local conv_spec = {
  stride = {"integer|table", default = 1}, padding = {"integer|table", default = 0},
  dilation = {"integer|table", default = 1}, groups = {"integer", default = 1},
}

local function pair(where, name, v)
  if type(v) ~= "table" then return integer(v), integer(v) end
  if #v ~= 2 or not integer(v[1]) or not integer(v[2]) then
    raise(("%s: %s must be an integer or {h, w}, got a table of %d"):format(where, name, #v))
  end
  return integer(v[1]), integer(v[2])
end

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
  local sh, sw = pair("tide.conv2d", "stride", o.stride)
  local ph, pw = pair("tide.conv2d", "padding", o.padding)
  local dh, dw = pair("tide.conv2d", "dilation", o.dilation)
  return add_bias("tide.conv2d", apply("conv", {sh, sw, ph, pw, dh, dw, integer(o.groups)}, x, w), b, #w, 4)
end

function M.conv1d(x, w, b, opts)
  local o = options.check("tide.conv1d", opts, conv_spec)
  check_rank("tide.conv1d", "x", x, 3, "N,C,L")
  check_rank("tide.conv1d", "w", w, 3, "O,C/groups,k")
  local function one(name)
    local v = o[name]
    if type(v) == "table" then v = v[1] end
    if not integer(v) then raise(("tide.conv1d: %s must be an integer"):format(name)) end
    return integer(v)
  end
  local n, c, l = table.unpack(x:shape())
  local f, cg, k = table.unpack(w:shape())
  local y = apply("conv", {1, one "stride", 0, one "padding", 1, one "dilation", integer(o.groups)},
    x:reshape{n, c, 1, l}, w:reshape{f, cg, 1, k})
  return add_bias("tide.conv1d", y:reshape{n, f, y:shape()[4]}, b, f, 3)
end

return M
