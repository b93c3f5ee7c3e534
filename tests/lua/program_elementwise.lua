--- Elementwise functions in random programs (program_ops.lua).

local M, rare = {}, {}

local function f(...) return string.format(...) end

-- Elementwise functions of one tensor: the expression, and one whose operand lies in the domain, away from
-- overflow.
local unary = {
  tan = "%s:tanh():tan()", asin = "(%s:tanh() * 0.9):asin()", acos = "(%s:tanh() * 0.9):acos()",
  atan = "%s:atan()", sinh = "%s:tanh():sinh()", cosh = "%s:tanh():cosh()", asinh = "%s:asinh()",
  acosh = "(%s:square() + 1.5):acosh()", atanh = "(%s:tanh() * 0.9):atanh()", exp2 = "%s:tanh():exp2()",
  expm1 = "%s:tanh():expm1()", log1p = "(%s:abs() + 0.5):log1p()", log2 = "(%s:abs() + 0.5):log2()",
  log10 = "(%s:abs() + 0.5):log10()", rsqrt = "(%s:abs() + 0.5):rsqrt()", erf = "%s:erf()",
  erfc = "%s:tanh():erfc()", erfinv = "(%s:tanh() * 0.9):erfinv()", lgamma = "(%s:tanh() + 2):lgamma()",
  digamma = "(%s:tanh() + 2):digamma()", polygamma = "(%s:tanh() + 2):polygamma(1)", gelu = "%s:gelu()",
  gelu_tanh = "%s:gelu_tanh()", silu = "%s:silu()", log_sigmoid = "%s:log_sigmoid()", selu = "%s:selu()",
  mish = "%s:mish()", softsign = "%s:softsign()", celu = "%s:celu(1.5)", hardtanh = "%s:hardtanh()",
  relu6 = "%s:relu6()", hardsigmoid = "%s:hardsigmoid()", hardswish = "%s:hardswish()",
  logit = "%s:sigmoid():logit(0.01)", nan_to_num = "%s:nan_to_num()", floor = "%s:floor()",
  ceil = "%s:ceil()",
  round = "%s:round()", trunc = "%s:trunc()", frac = "%s:frac()", isnan = "%s:isnan()", isinf = "%s:isinf()",
  isfinite = "%s:isfinite()", logical_not = "%s:logical_not()",
  neg = "%s:neg()", abs = "%s:abs()", square = "%s:square()", sign = "%s:sign()", relu = "%s:relu()",
  sin = "%s:sin()", cos = "%s:cos()",
  tanh = "%s:tanh()", sigmoid = "%s:sigmoid()", softplus = "%s:softplus()", exp = "%s:tanh():exp()",
  log = "(%s:abs() + 0.5):log()",
  sqrt = "(%s:abs() + 0.5):sqrt()", reciprocal = "(%s:square() + 0.5):reciprocal()", clone = "%s:clone()",
  stop_gradient = "STOP(%s)", alias = 'core.apply("alias", {}, %s)', copy = 'core.apply("copy", {}, %s)',
}
local bare = {exp = "%s:exp()", log = "%s:log()", sqrt = "%s:sqrt()", reciprocal = "%s:reciprocal()",
  neg = "-%s"}
local integers_too = {neg = true, abs = true, square = true, sign = true, relu = true, clone = true,
  stop_gradient = true, alias = true, copy = true, floor = true, ceil = true, round = true, trunc = true,
  isnan = true, isinf = true, isfinite = true, logical_not = true, nan_to_num = true}

for name, text in pairs(unary) do
  M[name] = function(g)
    local x = integers_too[name] and g:any() or g:any(g:chance(0.9) and g.is_float or nil)
    return f(bare[name] and not g.symbolic and g:chance(0.5) and bare[name] or text, x)
  end
end

-- Of two tensors or a tensor and a number.
local binary = {
  remainder = "%s %% (%s:abs() + 1)", fmod = "%s:fmod(%s:abs() + 1)", floor_divide = "%s // (%s:abs() + 1)",
  atan2 = "%s:atan2(%s:abs() + 0.5)", hypot = "%s:hypot(%s:abs() + 0.5)", logaddexp = "%s:logaddexp(%s)",
  xlogy = "%s:xlogy(%s:abs() + 0.5)", leaky_relu = "%s:leaky_relu(%s)", elu = "%s:elu(%s)",
  gelu_grad = "%s:gelu_grad(%s)", silu_grad = "%s:silu_grad(%s)", logical_and = "%s:logical_and(%s)",
  logical_or = "%s:logical_or(%s)", logical_xor = "%s:logical_xor(%s)", isclose = "%s:isclose(%s)",
  add = "%s + %s", sub = "%s - %s", mul = "%s * %s", div = "%s / (%s:abs() + 0.5)",
  pow = "(%s:abs() + 0.5) ^ (%s:tanh())",
  maximum = "%s:maximum(%s)", minimum = "%s:minimum(%s)", eq = "%s:eq(%s)", ne = "%s:ne(%s)",
  lt = "%s:lt(%s)", le = "%s:le(%s)",
  gt = "%s:gt(%s)", ge = "%s:ge(%s)", relu_grad = "%s:relu_grad(%s)", tanh_grad = "%s:tanh_grad(%s)",
  sigmoid_grad = "%s:sigmoid_grad(%s)",
}
local with_number = {
  remainder = {"%s %% (math.abs(%s) + 1)"}, fmod = {"%s:fmod(math.abs(%s) + 1)"},
  floor_divide = {"%s // (math.abs(%s) + 1)"}, atan2 = {"%s:atan2(math.abs(%s) + 0.5)"},
  hypot = {"%s:hypot(math.abs(%s) + 0.5)"}, xlogy = {"%s:xlogy(math.abs(%s) + 0.5)"},
  add = {"%s + %s", "%s - -%s"}, sub = {"%s - %s", "%s:sub(%s)"}, mul = {"%s * %s", "%s:mul(%s)"},
  div = {"%s / %s", "%s:div(%s)"},
  pow = {"%s ^ 2", "%s ^ 3", "(%s:abs() + 0.5) ^ %s", "%s:abs() ^ 0.5", "%s ^ 0", "%s ^ 1"},
}
local from_number = {add = "%s + %s", sub = "%s - %s", mul = "%s * %s", div = "%s / (%s:square() + 0.5)",
  pow = "%s ^ %s:tanh()",
  lt = "tide.lt(%s, %s)", ge = "tide.ge(%s, %s)", maximum = "tide.maximum(%s, %s)",
  minimum = "tide.minimum(%s, %s)"}

for name, text in pairs(binary) do
  M[name] = function(g)
    local x = g:any()
    local way = g:int(1, 6)
    if way == 1 then return f(g:pick(with_number[name] or {text}), x, g:number(x)) end
    if way == 2 and from_number[name] then return f(from_number[name], g:number(x, true), x) end
    local y = g:fitting(x)
    if not y then return f(g:pick(with_number[name] or {text}), x, g:number(x)) end
    return f(text, x, y)
  end
end

function M.clamp(g)
  local x = g:any()
  return g:pick{f("%s:clamp(-1, 2)", x), f("%s:clamp(0)", x), f("%s:clamp(nil, 1)", x)}
end
function M.lerp(g)
  local x = g:any(g.is_float)
  return f("%s:lerp(%s, 0.3)", x, g:fitting(x) or g:number(x))
end

-- The many that are alike, and those that end every derivative, come less often.
local often = {}
for _, name in ipairs{"neg", "abs", "square", "relu", "sin", "cos", "tanh", "sigmoid", "softplus", "exp",
  "log",
  "sqrt", "reciprocal", "clone", "alias", "copy", "gelu", "add", "sub", "mul", "div", "pow", "maximum",
  "minimum",
  "relu_grad", "tanh_grad", "sigmoid_grad", "elu", "clamp"} do often[name] = true end
for name in pairs(M) do rare[name] = not often[name] end

return {make = M, rare = rare}
