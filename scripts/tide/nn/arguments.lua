--- Checks of what layers and models are given: sizes when they are made, tensors when they are called.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

--- v as an integer >= 1, or an error of `where` about its argument `name`.
function M.size(where, name, v)
  if type(v) ~= "number" or not math.tointeger(v) or v < 1 then
    raise(("%s: %s must be an integer >= 1, got %s"):format(where, name, options.show(v)))
  end
  return math.tointeger(v)
end

--- Does x have the wanted extent along the axis (-1: features, else channels)?
function M.features(where, x, axis, wanted)
  local shape = tree._check_tensor(x, where):shape()
  if shape[axis < 0 and #shape + 1 + axis or axis] ~= wanted then
    raise(("%s: x must have %d %s, got shape {%s}"):format(where, wanted,
      axis < 0 and "features on its last axis" or "channels", table.concat(shape, ", ")))
  end
end

--- The input of a whole model, N and the extents of one sample that it was made for (model.input).
function M.input(where, model, x)
  local wanted = model.input
  local shape = tree.is_tensor(x) and x:shape() or {}
  local fits = #shape == #wanted + 1
  for i, n in ipairs(wanted) do fits = fits and shape[i + 1] == n end
  if not fits then
    local text = table.concat(wanted, ", ")
    raise(("%s: x must have shape {N, %s}, got %s; the model was made for %s"):format(where, text,
      tree.is_tensor(x) and ("{%s}"):format(table.concat(shape, ", ")) or options.show(x),
      #wanted == 1 and "dim = " .. text or "image = {" .. text .. "}"))
  end
  return x
end

return M
