--- Nested tables of tensors (models, states, gradients): walk, map, flatten. Metatables are kept, so that a
-- mapped model still is one.
--
-- Order: the array part first, then other keys sorted by type and name, so that every walk sees the leaves in
-- one order. The walks that a training step makes are in bindings/tree.c.

local core = require "tide.core"
local options = require "tide.base.options"
local tensor_meta = debug.getregistry()["tide.Tensor"]

local tree = {}

local MAX_DEPTH = 100 -- as in bindings/tree.c

function tree.is_tensor(v) return type(v) == "userdata" and getmetatable(v) == tensor_meta end
local is_tensor = tree.is_tensor

--- For the library: x, which must be a tensor; else an error in the name of `where`.
function tree._check_tensor(x, where)
  if not is_tensor(x) then
    core.raise(("%s: expected a tensor, got %s; make one with tide.tensor(...)"):format(where,
      options.show(x)))
  end
  return x
end

--- For the library: "{2, 3}".
function tree._shape_text(x) return "{" .. table.concat(x:shape(), ", ") .. "}" end

local function too_deep()
  core.raise("a table is nested more than " .. MAX_DEPTH .. " deep (or contains itself)")
end

local ordered_keys = core.tree_keys

local function join(path, key)
  return type(key) == "number" and ("%s[%s]"):format(path, key) or path == "" and tostring(key) or path .. "."
    .. tostring(key)
end

tree._join = join

local function each(t, visit, path, depth, parameters)
  if depth > MAX_DEPTH then too_deep() end
  if type(t) ~= "table" then return visit(t, path) end
  local meta = parameters and debug.getmetatable(t)
  local buffers = meta and rawget(meta, "__buffers")
  if buffers == true then return end
  for _, k in ipairs(ordered_keys(t)) do
    if not (buffers and buffers[k]) then each(rawget(t, k), visit, join(path, k), depth + 1, parameters) end
  end
end

local function check_function(where, name, f)
  local meta = debug.getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    core.raise(("%s: %s must be a function, got %s"):format(where, name, options.show(f)))
  end
end

--- Call visit(leaf, path) for every leaf that is not a table, tensors and others.
function tree.each(t, visit)
  check_function("tree.each", "visit", visit)
  each(t, visit, "", 0, false)
end

--- For the library: visit(tensor, path) for the tensors of t that can have a gradient: of floats, and no
-- buffers, which a metatable names: __buffers = {name = true}, or true for all tensors of its table.
function tree._each_parameter(t, visit)
  each(t, function(x, path)
    if is_tensor(x) and (x:dtype() == "float32" or x:dtype() == "float64") then visit(x, path) end
  end, "", 0, true)
end

--- For the library: the places of the parameters of t ("layers[2].weight"), in order; "" is that of t itself.
function tree._names(t)
  local names = {}
  tree._each_parameter(t, function(_, path) names[#names + 1] = path end)
  return names
end

--- A copy with every tensor x replaced by fn(x, path); other leaves stay as they are.
function tree.map(t, fn, path, depth)
  path, depth = path or "", depth or 0
  if depth == 0 then check_function("tree.map", "fn", fn) end
  if is_tensor(t) then return fn(t, path) end
  if type(t) ~= "table" then return t end
  if depth > MAX_DEPTH then too_deep() end
  local out = {}
  for _, k in ipairs(ordered_keys(t)) do out[k] = tree.map(rawget(t, k), fn, join(path, k), depth + 1) end
  return debug.setmetatable(out, debug.getmetatable(t))
end

--- List of the tensors of t, in order; with `float_only`, of those that can have a gradient: no integers, no
-- buffers.
tree.tensors = core.tree_tensors

--- A copy of t with its tensors (or its float tensors) replaced by those of `list`, in order.
tree.replace = core.tree_replace

--- A string that tells the structure of t apart: keys, dtypes and shapes of tensors, values of everything
-- else. Tensors are appended to `list`. The second result tells whether one of them is symbolic.
function tree.signature(v, list)
  return core.tree_signature(v, options.argument("tree.signature", "list", list, "table"))
end

return tree
