--- Nested tables of tensors (models, states, gradients): walk, map, flatten. Metatables are kept, so that a mapped model still is one.
--
-- Order: the array part first, then other keys sorted by type and name, so that every walk sees the leaves in one order.

local core = require "tide.core"
local tensor_meta = debug.getregistry()["tide.Tensor"]

local tree = {}

local MAX_DEPTH = 100

function tree.is_tensor(v) return type(v) == "userdata" and getmetatable(v) == tensor_meta end
local is_tensor = tree.is_tensor

local function ordered_keys(t)
  local keys, n = {}, #t
  for i = 1, n do keys[i] = i end
  for k in pairs(t) do
    if not (math.type(k) == "integer" and k >= 1 and k <= n) then keys[#keys + 1] = k end
  end
  if #keys > n then
    local rest = table.move(keys, n + 1, #keys, 1, {})
    table.sort(rest, function(a, b)
      local ta, tb = type(a), type(b)
      if ta ~= tb then return ta < tb end
      if ta == "number" or ta == "string" then return a < b end
      return tostring(a) < tostring(b)
    end)
    table.move(rest, 1, #rest, n + 1, keys)
  end
  return keys
end

local function join(path, key)
  return type(key) == "number" and ("%s[%s]"):format(path, key) or path == "" and tostring(key) or path .. "." .. tostring(key)
end

--- Call visit(leaf, path) for every leaf that is not a table, tensors and others.
function tree.each(t, visit, path, depth)
  path, depth = path or "", depth or 0
  if depth > MAX_DEPTH then core.raise("a table is nested more than " .. MAX_DEPTH .. " deep (or contains itself)") end
  if type(t) ~= "table" then return visit(t, path) end
  for _, k in ipairs(ordered_keys(t)) do tree.each(t[k], visit, join(path, k), depth + 1) end
end

--- A copy with every tensor x replaced by fn(x, path); other leaves stay as they are.
function tree.map(t, fn, path, depth)
  path, depth = path or "", depth or 0
  if is_tensor(t) then return fn(t, path) end
  if type(t) ~= "table" then return t end
  if depth > MAX_DEPTH then core.raise("a table is nested more than " .. MAX_DEPTH .. " deep (or contains itself)") end
  local out = {}
  for _, k in ipairs(ordered_keys(t)) do out[k] = tree.map(t[k], fn, join(path, k), depth + 1) end
  return setmetatable(out, getmetatable(t))
end

--- List of the tensors of t, in order; with `float_only`, of those that can have a gradient.
function tree.tensors(t, float_only)
  local list = {}
  tree.each(t, function(x)
    if is_tensor(x) then
      local dtype = float_only and x:dtype()
      if not dtype or dtype == "float32" or dtype == "float64" then list[#list + 1] = x end
    end
  end)
  return list
end

--- A copy of t with its tensors (or its float tensors) replaced by those of `list`, in order.
function tree.replace(t, list, float_only)
  local i = 0
  return tree.map(t, function(x)
    if float_only then
      local dtype = x:dtype()
      if dtype ~= "float32" and dtype ~= "float64" then return x end
    end
    i = i + 1
    return list[i]
  end)
end

-- Strings with their length, so that none can look like the parts around it.
local function atom(v)
  if math.type(v) == "float" then return ("%a"):format(v) end
  local text = tostring(v)
  return ("%s%d:%s"):format(type(v), #text, text)
end

--- A string that tells the structure of t apart: keys, dtypes and shapes of tensors, values of everything else. Tensors go to `list`.
function tree.signature(t, list)
  local parts = {}
  local function walk(v, depth)
    if is_tensor(v) then
      list[#list + 1] = v
      parts[#parts + 1] = v:dtype() .. table.concat(v:shape(), ",")
    elseif type(v) == "table" then
      if depth > MAX_DEPTH then core.raise("a table is nested more than " .. MAX_DEPTH .. " deep (or contains itself)") end
      parts[#parts + 1] = "{" .. tostring(getmetatable(v))
      for _, k in ipairs(ordered_keys(v)) do
        parts[#parts + 1] = atom(k)
        walk(v[k], depth + 1)
      end
      parts[#parts + 1] = "}"
    else
      parts[#parts + 1] = atom(v)
    end
  end
  walk(t, 0)
  return table.concat(parts, ";")
end

return tree
