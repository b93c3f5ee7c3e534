--- What all distributions are: tables of their parameters, which are tensors, with methods; so tide.grad and
-- tide.compile take them as they take models. Nothing that follows from parameters is kept beside them.
--
-- A distribution is a batch of laws (batch_shape), of numbers (event_shape {}) or of vectors ({d}). log_prob
-- of x {..., batch, event} is {..., batch}. In a recording parameters are not looked at, only shapes.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise, is_tensor = core.raise, tree.is_tensor

function M.name(what) return "tide.distributions." .. what end

--- Shapes as texts, and joined.
function M.text(shape) return "{" .. table.concat(shape, ", ") .. "}" end
function M.join(...)
  local out = {}
  for _, list in ipairs{...} do table.move(list, 1, #list, #out + 1, out) end
  return out
end

--- The shape that shapes broadcast to; nil where they do not.
function M.broadcast(...)
  local out = {}
  for _, shape in ipairs{...} do
    local longer, shorter = out, shape
    if #shape > #out then longer, shorter = shape, out end
    local joined, shift = table.move(longer, 1, #longer, 1, {}), #longer - #shorter
    for i, n in ipairs(shorter) do
      local other = joined[shift + i]
      if n ~= other and n ~= 1 and other ~= 1 then return nil end
      joined[shift + i] = n == 1 and other or n
    end
    out = joined
  end
  return out
end

--- Are all entries of the condition true? Within a recording nobody knows: true.
function M.holds(condition)
  return core.is_recording() or condition:numel() == 0 or condition:min():item() ~= 0
end

--- The widest dtype of what is a tensor; the default one where nothing is.
function M.dtype(...)
  local dtype
  for i = 1, select("#", ...) do
    local x = select(i, ...)
    if is_tensor(x) then dtype = (dtype == "float64" or x:dtype() == "float64") and "float64" or "float32" end
  end
  return dtype or core.default_dtype()
end

--- A parameter: a float tensor, or a number, which becomes one of the dtype of `other`.
function M.parameter(where, name, v, other)
  if type(v) == "number" then v = core.full({}, v, M.dtype(other)) end
  if not is_tensor(v) then
    raise(("%s: %s must be a tensor or a number, got %s%s"):format(where, name, options.show(v),
      type(v) == "table" and "; make a tensor of it: tide.tensor{...}" or ""))
  end
  if v:dtype() ~= "float32" and v:dtype() ~= "float64" then
    raise(('%s: %s is %s, it must be of floats: %s:to("float32")'):format(where, name, v:dtype(), name))
  end
  if not M.holds(v:eq(v)) then raise(("%s: %s holds nan"):format(where, name)) end
  return v
end

--- An argument x of log_prob: a tensor, or a number, which changes no dtype.
function M.value(where, x, self)
  if type(x) == "number" then return core.full({}, x, M.dtype(table.unpack(tree.tensors(self, true)))) end
  return tree._check_tensor(x, where)
end

--- An error where x and the laws do not go together; event: how many of x's last axes are one value.
function M.check_fit(where, x, self)
  local shape, event = x:shape(), self:event_shape()
  local rest = table.move(shape, 1, #shape - #event, 1, {})
  local own = table.move(shape, #rest + 1, #shape, 1, {})
  if M.text(own) ~= M.text(event) or not M.broadcast(rest, self:batch_shape()) then
    raise(("%s: x of shape %s does not go with laws of batch shape %s and event shape %s"):format(where,
      M.text(shape), M.text(self:batch_shape()), M.text(event)))
  end
  return x
end

local draw_spec = {seed = {"integer"}}

--- The arguments of sample: the whole shape to draw, and the seed. shape: how many, a number or a table.
function M.draw(self, shape, opts)
  local where = M.name(self.kind) .. ":sample"
  local o = options.check(where, opts, draw_spec)
  if shape == nil then shape = {} end
  if options.integer(shape) then shape = {options.integer(shape)} end
  if type(shape) ~= "table" then
    raise(("%s: the shape must be a table such as {100}, or a number, got %s"):format(where,
      options.show(shape)))
  end
  return M.join(shape, self:batch_shape(), self:event_shape()), o.seed, shape
end

-- ---- classes ----

local base = {}

function base:stddev() return self:variance():sqrt() end

--- class(kind, methods) -> function(parameters) -> distribution.
function M.class(kind, methods)
  methods.kind = kind
  setmetatable(methods, {__index = base})
  local meta = {__name = M.name(kind)}
  meta.__index = function(self, key)
    local v = methods[key]
    if v ~= nil then return v end
    if type(key) ~= "string" then return nil end
    if key == "reparametrised" then
      local inner = rawget(self, "base")
      return inner ~= nil and inner.reparametrised
    end
    local names = {"stddev"}
    for name in pairs(methods) do if name:sub(1, 1) ~= "_" then names[#names + 1] = name end end
    for name in pairs(self) do names[#names + 1] = name end
    table.sort(names)
    raise(("%s: %s"):format(M.name(kind), options.unknown("field", key, names)))
  end
  meta.__newindex = function(_, key)
    raise(("%s: a %s has no field \"%s\" to be set; make another distribution"):format(M.name(kind), kind,
      tostring(key)))
  end
  meta.__tostring = function(self)
    return ("%s: batch shape %s, event shape %s"):format(kind, M.text(self:batch_shape()),
      M.text(self:event_shape()))
  end
  M.checked(kind, methods)
  return function(parameters) return setmetatable(parameters, meta) end, meta
end

--- Methods that say so when they are called with a dot.
function M.checked(kind, methods)
  for name, method in pairs(methods) do
    if type(method) == "function" and name:sub(1, 1) ~= "_" then
      methods[name] = function(self, ...)
        if type(self) ~= "table" or not M.is_law(self) then
          raise(("%s: %s is a method; call it with a colon, d:%s(...)"):format(M.name(kind), name, name))
        end
        return method(self, ...)
      end
    end
  end
end

--- Is v a distribution?
function M.is_law(v)
  local meta = debug.getmetatable(v)
  return type(v) == "table" and type(meta) == "table" and type(meta.__name) == "string"
    and meta.__name:find("^tide%.distributions%.") ~= nil
end

function M.check_law(where, v)
  if not M.is_law(v) then
    raise(("%s: expected a distribution, as tide.distributions.normal(0, 1) is, got %s"):format(where,
      options.show(v)))
  end
  return v
end

return M
