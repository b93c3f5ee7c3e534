--- Fields in C: shared objects that export a struct tide_field (tide/field.h). See help("ode.cfield").

local core = require "tide.core"
local options = require "tide.base.options"
local states = require "tide.ode.state"
local tree = require "tide.base.tree"

local M = {}
local raise, is_tensor, show = core.raise, tree.is_tensor, options.show

local spec = {constants = {"table|tensor"}}

local function count(n, what) return ("%d %s%s"):format(n, what, n == 1 and "" or "s") end

-- A 1-D float64 tensor from one or from a list of numbers.
local function vector(where, what, v)
  if is_tensor(v) then
    if v:rank() ~= 1 then
      raise(("%s: %s must be 1-D, got shape {%s}"):format(where, what, table.concat(v:shape(), ", ")))
    end
    if v:dtype() ~= "float64" then
      raise(('%s: %s must be float64, in which C fields compute, got %s; convert with x:to("float64")')
        :format(where, what, v:dtype()))
    end
    return v
  end
  if type(v) ~= "table" then
    raise(("%s: %s must be a 1-D float64 tensor or a list of numbers, got %s"):format(where, what, show(v)))
  end
  for key, x in pairs(v) do
    if type(x) ~= "number" or math.type(key) ~= "integer" or key < 1 or key > #v then
      raise(("%s: %s must be a list of numbers, got %s[%s] = %s"):format(where, what, what, tostring(key),
        show(x)))
    end
  end
  return core.tensor_from(v, "float64")
end

-- Samples lie one after the other, each whole: the last axes of the one tensor are a sample, or the state is
-- one sample.
local function check_state(where, c, state)
  if state.dtype ~= "float64" then
    raise(('%s: the state is %s; C fields compute in float64: convert with y:to("float64")'):format(where,
      state.dtype))
  end
  if not c.width then return end
  local total, tail = 0, 1
  for _, size in ipairs(state.sizes) do total = total + size end
  if total == c.width then return end
  if #state.shapes > 1 then
    raise(("%s: the state's tensors have %d numbers together, %s takes one sample of %d; join samples in one "
      .. "tensor {batch, %d}"):format(where,
      total, c.name, c.width, c.width))
  end
  local shape = state.shapes[1]
  for i = #shape, 1, -1 do
    tail = tail * shape[i]
    if tail == c.width then return end
  end
  raise(("%s: the state has shape {%s}; %s takes samples of %s, in the last axis or axes: "
    .. "{%d} or {batch, %d}"):format(where,
    table.concat(shape, ", "), c.name, count(c.width, "number"), c.width, c.width))
end

local function check_theta(where, c, theta)
  theta = vector(where, "theta", theta)
  if c.n_theta and #theta ~= c.n_theta then
    raise(("%s: %s takes %s, got %d"):format(where, c.name, count(c.n_theta, "parameter"), #theta))
  end
  return theta
end

local function evaluate(c, self, t, y)
  if is_tensor(t) and t:rank() ~= 0 or not is_tensor(t) and type(t) ~= "number" then
    raise(("%s: call it as f(t, y); t must be a number or a scalar tensor, got %s"):format(c.name, show(t)))
  end
  local state, leaves = states.describe(c.name, y)
  local theta = c.parameters(c.name, self, state)
  local time = is_tensor(t) and t:to("float64") or core.full({}, t, "float64")
  return states.unflatten(state, core.cfield_eval(c.code, theta, time, states.flatten(leaves)))
end

local function describe(c, path)
  return ("C field %s of %s: %s, %s, %s"):format(c.name, path, c.width and "samples of "
    .. count(c.width, "number") or "any state",
    c.n_theta and count(c.n_theta, "parameter") or "any parameters", c.vjp and c.jvp and "vjp and jvp"
    or c.vjp and "vjp" or c.jvp and "jvp" or
    "no derivatives")
end

--- cfield(path, symbol, opts) -> a field, or where it takes parameters a function theta -> field: see
-- help("ode.cfield").
function M.cfield(path, symbol, opts)
  local where = "cfield"
  if type(path) ~= "string" then
    raise(("%s: the path must be a string, got %s"):format(where, show(path)))
  end
  if type(symbol) ~= "string" then
    raise(("%s: the symbol must be a string, the name in TIDE_FIELD(name), got %s"):format(where,
      show(symbol)))
  end
  local o = options.check(where, opts, spec, 3)
  local code = core.cfield_open(path, symbol, o.constants and vector(where, "constants", o.constants))
  local c = core.cfield_describe(code)
  c.code = code
  local text = describe(c, path)
  -- A field is a table of its parameters, so that it is a model as others are: they can be trained and saved.
  local meta = {__name = "C field", __cfield = c, __tostring = function() return text end}
  function meta.__call(self, t, y) return evaluate(c, self, t, y) end
  function c.parameters(user, self, state)
    check_state(user, c, state)
    return c.n_theta ~= 0 and check_theta(user, c, rawget(self, "theta")) or nil
  end
  if c.n_theta == 0 then return setmetatable({}, meta) end
  local function unbound(user)
    raise(("%s: %s takes %s: give %s(theta) in its place, theta a 1-D float64 tensor"):format(user, symbol,
      c.n_theta and count(c.n_theta, "parameter") or "parameters", symbol))
  end
  return setmetatable({}, {__name = "C field", __cfield = {parameters = unbound},
    __tostring = meta.__tostring,
    __call = function(_, theta, y)
      if y ~= nil then unbound(symbol) end
      return setmetatable({theta = check_theta(symbol, c, theta)}, meta)
    end})
end

return M
