--- Choices entry by entry, and what is composed of the elementwise functions, which are the engine's; those
-- that PyTorch gives options get them here.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}           -- functions of the module
local T = core.methods -- methods of tensors
local is_tensor, check_tensor = tree.is_tensor, tree._check_tensor

function M.where(condition, a, b)
  if type(condition) == "boolean" then -- not taken: == between tensors gives false, whatever they hold
    core.raise(("tide.where: expected a tensor, got %s; == never looks into tensors: write x:eq(y). Two "
      .. "numbers compare to a boolean: write c and a or b"):format(condition))
  end
  if is_tensor(condition) and condition:dtype() ~= "uint8" then condition = condition:ne(0) end
  if not is_tensor(a) and not is_tensor(b) then
    a = arguments.scalar(arguments.number("tide.where", "value", a))
  end
  return core.apply("where", {}, check_tensor(condition, "tide.where"), a, b)
end
T.where = M.where

-- A number that limits x, if x's dtype can hold it.
local function bound(where, x, v)
  local dtype, whole = x:dtype(), options.integer(v)
  if not dtype:find "float" and not (whole and (dtype ~= "uint8" or whole >= 0 and whole <= 255)) then
    core.raise(("%s: the bound %s does not fit a tensor of dtype %s; convert with x:to(\"float32\")"):format(
      where, options.show(v), dtype))
  end
  return v
end

-- Of numbers a number. The derivative is 0 at a bound that is a number, as beyond it; NaN stays.
local function limited(where, x, low, high)
  if type(x) == "number" and not is_tensor(low) and not is_tensor(high) then
    if low then x = T.maximum(x, low) end
    return high and T.minimum(x, high) or x
  end
  check_tensor(x, where)
  for name, v in pairs{low = low, high = high} do
    if is_tensor(v) then
      arguments.broadcasts(where, x, v)
    elseif type(v) ~= "number" and v then
      core.raise(("%s: %s must be a number or a tensor, got %s"):format(where, name, options.show(v)))
    end
  end
  if type(low) == "number" then
    x = M.where(x:le(bound(where, x, low)), low, x)
  elseif low then
    x = x:maximum(low)
  end
  if type(high) == "number" then return M.where(x:ge(bound(where, x, high)), high, x) end
  return high and x:minimum(high) or x
end

function T.clamp(x, low, high) return limited("clamp", check_tensor(x, "clamp"), low, high) end

--- As the method; of numbers alone a number.
function M.clamp(x, low, high) return limited("clamp", x, low, high) end

-- ---- functions of the engine with defaults ----

local function with_default(name, second)
  local op = T[name]
  T[name] = function(x, y)
    if y == nil then y = second end
    return op(x, y)
  end
end
with_default("elu", 1)
with_default("leaky_relu", 0.01)

local gelu, gelu_tanh, gelu_options = T.gelu, T.gelu_tanh, {approximate = {"string", default = "none",
  check = function(v) return v == "none" or v == "tanh", '"none" or "tanh"' end}}

--- x Phi(x); {approximate = "tanh"}: by the tangent of Hendrycks and Gimpel (2016), within 5e-4 of it.
function T.gelu(x, opts)
  if opts == nil then return gelu(x) end
  return options.check("gelu", opts, gelu_options).approximate == "tanh" and gelu_tanh(x) or gelu(x)
end

--- Derivative n of digamma.
function M.polygamma(n, x) return T.polygamma(x, n) end

local round = T.round
--- To whole numbers, halves to the even one; to so many decimals, -30 to 30. What is too large to have a
-- fraction stays as it is.
function T.round(x, decimals)
  if decimals == nil then return round(x) end
  local n = options.integer(decimals)
  if not n or math.abs(n) > 30 then
    core.raise("round: decimals must be an integer of -30..30, got " .. options.show(decimals))
  end
  local scale = 10.0 ^ math.abs(n)
  if type(x) ~= "number" and not check_tensor(x, "round"):dtype():find "float" then
    if n >= 0 then return x end
    core.raise('round: decimals below 0 are for floats; convert with x:to("float64")')
  end
  if n < 0 then return round(x / scale) * scale end
  if type(x) == "number" then return math.abs(x * scale) < 2 ^ 52 and round(x * scale) / scale or x end
  return M.where((x * scale):abs():lt(2 ^ 52), round(x * scale) / scale, x)
end

-- ---- compositions: of numbers they give numbers ----

local function operand(where, x)
  return type(x) == "number" and x or check_tensor(x, where)
end

local function is_float(x) return is_tensor(x) and x:dtype():find "float" end

-- The same as a float, for what would wrap around in integers.
local function float(where, x)
  return type(x) == "number" and x or arguments.float(check_tensor(x, where))
end

function T.hardtanh(x, low, high)
  low, high = arguments.number("hardtanh", "low", low or -1), arguments.number("hardtanh", "high", high or 1)
  return limited("hardtanh", operand("hardtanh", x), low, high)
end
function T.relu6(x) return limited("relu6", operand("relu6", x), 0, 6) end
function T.hardsigmoid(x) return limited("hardsigmoid", operand("hardsigmoid", x) / 6 + 0.5, 0, 1) end
function T.hardswish(x) return x * T.hardsigmoid(operand("hardswish", x)) end
function T.mish(x) return x * T.tanh(T.softplus(operand("mish", x))) end
function T.softsign(x)
  x = float("softsign", x)
  return x / (1 + T.abs(x))
end

--- elu whose slope at 0 is 1 for every alpha.
function T.celu(x, alpha)
  alpha = arguments.number("celu", "alpha", alpha or 1)
  if alpha == 0 then core.raise("celu: alpha must not be 0") end
  return alpha * T.elu(operand("celu", x) / alpha)
end

--- log(x / (1 - x)), the inverse of sigmoid; eps, if given, keeps x in eps..1 - eps.
function T.logit(x, eps)
  x = float("logit", x)
  if eps then x = M.clamp(x, arguments.number("logit", "eps", eps), 1 - eps) end
  return T.log(x) - T.log1p(-x)
end

function T.lerp(a, b, weight)
  a, b = operand("lerp", a), operand("lerp", b)
  if not is_float(a) and not is_float(b) then a, b = float("lerp", a), float("lerp", b) end
  operand("lerp", weight)
  local gap = b - a -- from the nearer end, so that weight 1 gives b itself
  if type(weight) == "number" then return weight < 0.5 and a + weight * gap or b - gap * (1 - weight) end
  return M.where(weight:lt(0.5), a + weight * gap, b - gap * (1 - weight))
end

local largest = {float32 = (2 - 2.0 ^ -23) * 2.0 ^ 127, float64 = (2 - 2.0 ^ -52) * 2.0 ^ 1023}

--- NaN and the infinities replaced, by 0 and the largest numbers of the dtype unless told otherwise.
function T.nan_to_num(x, nan, high, low)
  local most = largest[check_tensor(x, "nan_to_num"):dtype()]
  for name, v in pairs{nan = nan, high = high, low = low} do arguments.number("nan_to_num", name, v) end
  if not most then return x end
  local finite = M.where(x:ne(x), nan or 0, x)
  finite = M.where(x:eq(math.huge), high or most, finite)
  return M.where(x:eq(-math.huge), low or -most, finite)
end

local close_options = {rtol = {"number", default = 1e-5}, atol = {"number", default = 1e-8},
  equal_nan = {"boolean", default = false}}

-- Distances of integers are real numbers: they neither wrap around nor keep a tolerance from being added.
local function measured(x)
  local whole = is_tensor(x) and (x:dtype() == "int64" or x:dtype() == "uint8")
  return whole and x:to("float64") or x
end

local function is_close(where, x, y, opts)
  local o = options.check(where, opts, close_options, 3)
  check_tensor(x, where)
  if is_tensor(operand(where, y)) then arguments.broadcasts(where, x, y) end
  local away = (measured(x) - measured(y)):abs()
  local within = away:le(o.atol + o.rtol * T.abs(measured(y))):logical_and(away:lt(math.huge))
  local near = within:logical_or(x:eq(y))
  if o.equal_nan then near = near:logical_or(x:ne(x):logical_and(T.ne(y, y))) end
  return near
end

--- 1 where |x - y| <= atol + rtol |y|, or both are the same infinity.
function T.isclose(x, y, opts) return is_close("isclose", x, y, opts) end
--- Whether all are; true or false.
function T.allclose(x, y, opts) return is_close("allclose", x, y, opts):eq(0):sum():item() == 0 end
--- Whether shapes and numbers are the same; true or false.
function T.equal(x, y)
  local shape = check_tensor(x, "equal"):shape()
  if table.concat(shape, ",") ~= table.concat(check_tensor(y, "equal"):shape(), ",") then return false end
  return T.ne(x, y):sum():item() == 0
end

return M
