--- The tensors of a model: counted, listed, loaded.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

--- Number of trainable values: the elements of all float tensors but buffers.
function M.count(model)
  local n, seen = 0, {}
  for _, x in ipairs(tree.tensors(model, true)) do
    if not seen[x] then n = n + x:numel() end -- a layer that is used twice is counted once
    seen[x] = true
  end
  return n
end

--- Names of the model's trainable tensors with shape and number of values, in order, as a table of {name=,
-- shape=, count=}.
function M.parameters(model)
  local list = {}
  tree._each_parameter(model, function(x, path)
    list[#list + 1] = {name = path, shape = x:shape(), count = x:numel(), tensor = x}
  end)
  return list
end

local function tensors_by_path(t)
  local out, paths = {}, {}
  tree.each(t, function(x, path)
    if tree.is_tensor(x) then out[path], paths[#paths + 1] = x, path end
  end)
  return out, paths
end

local function shape_text(x) return x:dtype() .. " {" .. table.concat(x:shape(), ", ") .. "}" end

--- load(model, weights) -> model: put weights, as tide.load returns what tide.save wrote of a model like this
-- one, into its tensors, in place. Every name, shape and dtype is checked before anything changes.
function M.load(model, weights)
  if type(model) ~= "table" or type(weights) ~= "table" then
    raise(("nn.load: expected a model and a table of weights (tide.load), got %s and %s"):format(
      options.show(model), options.show(weights)))
  end
  local into, paths = tensors_by_path(model)
  local from, given = tensors_by_path(weights)
  for _, path in ipairs(paths) do
    if not from[path] then
      raise(("nn.load: weights lack %s, %s; they are of another model"):format(path, shape_text(into[path])))
    end
    if shape_text(from[path]) ~= shape_text(into[path]) then
      raise(("nn.load: %s must be %s, got %s; the weights are of another model"):format(path,
        shape_text(into[path]), shape_text(from[path])))
    end
  end
  for _, path in ipairs(given) do
    if not into[path] then
      raise(("nn.load: the model has no %s; the weights are of another model"):format(path))
    end
  end
  for _, path in ipairs(paths) do into[path]:copy_(from[path]) end
  return model
end

return M
