--- The float tensors of a model, each once, and gradients for them.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

-- The tensors of a list, each once; at[i] is the place of list[i] among them. shared: does one stand in
-- several places, as a layer used twice?
local function once(list)
  local unique, at, seen = {}, {}, {}
  for i, x in ipairs(list) do
    if not seen[x] then
      unique[#unique + 1] = x
      seen[x] = #unique
    end
    at[i] = seen[x]
  end
  return unique, at, #unique < #list
end

--- of(where, model) -> {parameters = the tensors, names = of each, places = names of all places, at =, shared
-- =, structure =}.
function M.of(where, model)
  local all, structure = core.tree_structure(model)
  local parameters, at, shared = once(all)
  local places, names = tree._names(model), {}
  for i = #places, 1, -1 do names[at[i]] = places[i] end
  if #parameters == 0 then
    raise(("%s: the model has no float tensors, got %s"):format(where, options.show(model)))
  end
  return {parameters = parameters, names = names, structure = structure, places = places, at = at,
    shared = shared}
end

-- Position i (from 0) of a tensor's elements as {row, column, ...}.
local function position(x, i)
  local at, shape = {}, x:shape()
  for axis = #shape, 1, -1 do
    at[axis] = i % shape[axis] + 1
    i = i // shape[axis]
  end
  return #at > 0 and ("[%s]"):format(table.concat(at, "][")) or ""
end

--- The tensor number i by its place in the model, in words; with element (from 0) that of the element.
function M.name(self, i, element)
  local name = self.names[i] == "" and "the tensor" or self.names[i]
  return element and name .. position(self.parameters[i], element) or name
end

-- Gradients of the right number and of other names: of another model. A single tensor has no name.
local function check_names(self, grads)
  for i, name in ipairs(tree._names(grads)) do
    if name ~= self.places[i] then
      raise(("%s: the gradient has \"%s\" where the model has \"%s\"; pass what tide.grad returned for this "
        .. "model"):format(self.kind, name,
        self.places[i]))
    end
  end
end

local function check_count(self, list)
  if #list ~= #self.places then
    raise(("%s: the model has %d float tensors, the gradient %d; pass what tide.grad returned for this model")
      :format(self.kind, #self.places, #list))
  end
end

-- The gradient of a tensor that stands in several places is the sum of theirs.
local function summed(self, list)
  check_count(self, list)
  local out = {}
  for i, g in ipairs(list) do
    local j = self.at[i]
    out[j] = out[j] and out[j] + g or g
  end
  return out
end

-- The model in place of its gradient has the same structure, and would be taken.
local function check_other(self, list)
  for i, j in ipairs(self.at) do
    if not rawequal(list[i], self.parameters[j]) then return end
  end
  raise(("%s: step takes gradients, got the model itself; opt:step(gradients), where loss, gradients = "
    .. "tide.value_and_grad(f)(model)"):format(self.kind))
end

--- The gradients of the tensors, from those of the model's structure.
function M.gradients(self, grads)
  local list, structure = core.tree_structure(grads)
  if structure ~= self.structure and #list == #self.places then check_names(self, grads) end
  local out = self.shared and summed(self, list) or list
  check_other(self, list)
  return out
end

-- ---- one vector ----

--- The tensors as one vector of the widest dtype; of self it needs kind and what `of` returns.
local Vector = {}
local vector_meta = {__index = Vector}

function M.vector(self)
  local dtype, n = "float32", 0
  for _, x in ipairs(self.parameters) do
    if x:dtype() == "float64" then dtype = "float64" end
    n = n + x:numel()
  end
  return setmetatable({owner = self, dtype = dtype, length = n}, vector_meta)
end

--- A list of tensors, one for each of the model's, as a vector of its own.
function Vector.join(v, list)
  local parts = {}
  for i, x in ipairs(list) do parts[i] = x:reshape{x:numel()}:to(v.dtype) end
  return #parts == 1 and parts[1]:clone() or core.apply("cat", {0}, table.unpack(parts))
end

--- The other way round.
function Vector.cut(v, x)
  local list, at = {}, 0
  for i, p in ipairs(v.owner.parameters) do
    list[i] = x:slice(1, at + 1, at + p:numel()):reshape(p:shape()):to(p:dtype())
    at = at + p:numel()
  end
  return list
end

--- Into the model.
function Vector.write(v, x)
  for i, part in ipairs(v:cut(x)) do v.owner.parameters[i]:copy_(part) end
end

--- Gradients of the model's structure as a vector, checked.
function Vector.gradient(v, grads)
  local self = v.owner
  local list = M.gradients(self, grads)
  check_count({kind = self.kind, places = self.parameters}, list)
  for i, g in ipairs(list) do
    local got, want = table.concat(g:shape(), ", "), table.concat(self.parameters[i]:shape(), ", ")
    if got ~= want then
      raise(("%s: the gradient of %s has shape {%s}, it has {%s}"):format(self.kind, M.name(self, i), got,
        want))
    end
  end
  return v:join(list)
end

--- The place of the first number of x that is not finite, in words, and the number; nil when all are.
function Vector.fault(v, x)
  if x:numel() == 0 or options.finite((x * 0):sum():item()) then return nil end
  for i, part in ipairs(v:cut(x)) do
    for k, number in ipairs(part:reshape{part:numel()}:totable()) do
      if not options.finite(number) then return M.name(v.owner, i, k - 1), number end
    end
  end
end

return M
