--- Nested tables of tensors (models, states, gradients): walk, map, flatten. Metatables are kept, so that a mapped model still is one.
--
-- Order: the array part first, then other keys sorted by type and name, so that every walk sees the leaves in one order.

local core = require "tide.core"
local tensor_meta = debug.getregistry()["tide.Tensor"]

local tree = {}

local MAX_DEPTH = 100

function tree.is_tensor(v) return type(v) == "userdata" and getmetatable(v) == tensor_meta end
local is_tensor = tree.is_tensor

local function too_deep() core.raise("a table is nested more than " .. MAX_DEPTH .. " deep (or contains itself)") end

local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return ta < tb end
  if ta == "number" or ta == "string" then return a < b end
  return tostring(a) < tostring(b)
end

local function sort_keys(t)
  local keys, n = {}, rawlen(t)
  for i = 1, n do keys[i] = i end
  for k in next, t do -- as it is stored, whatever its metatable pretends
    if not (math.type(k) == "integer" and k >= 1 and k <= n) then keys[#keys + 1] = k end
  end
  if #keys > n then
    local rest = table.move(keys, n + 1, #keys, 1, {})
    table.sort(rest, before)
    table.move(rest, 1, #rest, n + 1, keys)
  end
  return keys
end

-- The order of a table's keys is remembered, because a training step walks the same tables again and again.
local known = setmetatable({}, {__mode = "k"})

local function ordered_keys(t)
  local keys = known[t]
  if keys then
    local n = 0
    for _ in next, t do n = n + 1 end
    for i = 1, #keys do
      if rawget(t, keys[i]) == nil then n = -1 end
    end
    if n == #keys then return keys end
  end
  keys = sort_keys(t)
  known[t] = keys
  return keys
end

local function join(path, key)
  return type(key) == "number" and ("%s[%s]"):format(path, key) or path == "" and tostring(key) or path .. "." .. tostring(key)
end

--- Call visit(leaf, path) for every leaf that is not a table, tensors and others.
function tree.each(t, visit, path, depth)
  path, depth = path or "", depth or 0
  if depth > MAX_DEPTH then too_deep() end
  if type(t) ~= "table" then return visit(t, path) end
  for _, k in ipairs(ordered_keys(t)) do tree.each(t[k], visit, join(path, k), depth + 1) end
end

--- A copy with every tensor x replaced by fn(x, path); other leaves stay as they are.
function tree.map(t, fn, path, depth)
  path, depth = path or "", depth or 0
  if is_tensor(t) then return fn(t, path) end
  if type(t) ~= "table" then return t end
  if depth > MAX_DEPTH then too_deep() end
  local out = {}
  for _, k in ipairs(ordered_keys(t)) do out[k] = tree.map(t[k], fn, join(path, k), depth + 1) end
  return setmetatable(out, getmetatable(t))
end

local function is_float(x)
  local dtype = x:dtype()
  return dtype == "float32" or dtype == "float64"
end

local function collect(t, list, float_only, depth)
  if is_tensor(t) then
    if not float_only or is_float(t) then list[#list + 1] = t end
  elseif type(t) == "table" then
    if depth > MAX_DEPTH then too_deep() end
    local keys = ordered_keys(t)
    for i = 1, #keys do collect(t[keys[i]], list, float_only, depth + 1) end
  end
end

--- List of the tensors of t, in order; with `float_only`, of those that can have a gradient.
function tree.tensors(t, float_only)
  local list = {}
  collect(t, list, float_only, 0)
  return list
end

-- Returns the copy and how many of the list have been used.
local function rebuild(t, list, used, float_only, depth)
  if is_tensor(t) then
    if float_only and not is_float(t) then return t, used end
    return list[used + 1], used + 1
  end
  if type(t) ~= "table" then return t, used end
  if depth > MAX_DEPTH then too_deep() end
  local meta = getmetatable(t)
  if type(meta) == "table" and meta.__snapshot then return meta.__snapshot(t), used end -- what changes with each run is read now
  local out, keys = {}, ordered_keys(t)
  for i = 1, #keys do
    local k = keys[i]
    out[k], used = rebuild(t[k], list, used, float_only, depth + 1)
  end
  known[out] = keys
  return setmetatable(out, meta), used
end

--- A copy of t with its tensors (or its float tensors) replaced by those of `list`, in order.
function tree.replace(t, list, float_only) return (rebuild(t, list, 0, float_only, 0)) end

-- Strings with their length, so that none can look like the parts around it. Keys and metatables come again and again: their texts are kept.
local function atom(v)
  if math.type(v) == "float" then return ("%a"):format(v) end
  local text = tostring(v)
  return ("%s%d:%s"):format(type(v), #text, text)
end

local texts = setmetatable({}, {__mode = "k"})
local n_texts = 0
local function kept_text(v)
  local text = texts[v]
  if not text then
    if n_texts > 10000 then texts, n_texts = setmetatable({}, {__mode = "k"}), 0 end
    text = atom(v)
    texts[v], n_texts = text, n_texts + 1
  end
  return text
end

local function describe(v, list, parts, depth)
  if is_tensor(v) then
    list[#list + 1] = v
    parts[#parts + 1] = v:_spec()
  elseif type(v) == "table" then
    if depth > MAX_DEPTH then too_deep() end
    local meta, keys = getmetatable(v), ordered_keys(v)
    parts[#parts + 1] = "{"
    if meta ~= nil then parts[#parts + 1] = kept_text(meta) end
    for i = 1, #keys do
      parts[#parts + 1] = kept_text(keys[i])
      describe(v[keys[i]], list, parts, depth + 1)
    end
    parts[#parts + 1] = "}"
  elseif type(v) == "string" then
    parts[#parts + 1] = kept_text(v)
  else
    parts[#parts + 1] = atom(v)
  end
end

--- A string that tells the structure of t apart: keys, dtypes and shapes of tensors, values of everything else. Tensors go to `list`.
function tree.signature(t, list)
  local parts = {}
  describe(t, list, parts, 0)
  return table.concat(parts, ";")
end

return tree
