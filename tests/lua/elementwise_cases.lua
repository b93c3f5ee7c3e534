--- Gradient cases of the elementwise functions (test_ops.lua).

local tide = require "tide"
local op_checks = require "op_checks"

local F64 = {dtype = "float64"}
local randn, positive, apart, inside = op_checks.randn, op_checks.positive, op_checks.apart, op_checks.inside
local unary, binary, compare = op_checks.unary, op_checks.binary, op_checks.compare
local no_gradient, check_all = op_checks.no_gradient, op_checks.check_all

return {
  neg = unary(randn), square = unary(randn), exp = unary(randn), sin = unary(randn), cos = unary(randn),
  tanh = unary(randn),
  sigmoid = unary(randn), softplus = unary(randn), log = unary(positive), sqrt = unary(positive),
  reciprocal = unary(positive),
  abs = unary(apart), relu = unary(apart), sign = no_gradient(function(q) return q:sign() end),
  floor = no_gradient(function(q) return q:floor() end), ceil = no_gradient(function(q) return q:ceil() end),
  round = no_gradient(function(q) return q:round(1) end),
  trunc = no_gradient(function(q) return q:trunc() end), frac = unary(apart), rsqrt = unary(positive),
  tan = unary(inside), asin = unary(inside), acos = unary(inside), atan = unary(randn), sinh = unary(randn),
  cosh = unary(randn), asinh = unary(randn), acosh = unary(function(s) return positive(s) + 1 end),
  atanh = unary(inside), exp2 = unary(randn), expm1 = unary(randn), log1p = unary(positive),
  log2 = unary(positive), log10 = unary(positive), erf = unary(randn), erfc = unary(randn),
  erfinv = unary(inside), lgamma = unary(positive), digamma = unary(positive),
  polygamma = function(name)
    for n = 0, 3 do unary(positive, {{}, {2, 3}}, function(q) return tide.polygamma(n, q) end)(name) end
    check_all(name, function(q) return q:polygamma(1) + q:digamma() end, tide.tensor({-0.3, -2.6}, F64))
  end,
  gelu = unary(randn), gelu_tanh = unary(randn), silu = unary(randn), log_sigmoid = unary(randn),
  selu = unary(apart), elu = binary(apart), leaky_relu = binary(apart), gelu_grad = binary(randn),
  silu_grad = binary(randn), celu = unary(apart, nil, function(q) return q:celu(1.5) end),
  mish = unary(randn), softsign = unary(apart), hardtanh = unary(apart), relu6 = unary(apart),
  hardsigmoid = unary(apart), hardswish = unary(apart),
  logit = unary(function(s) return inside(s):abs() + 0.05 end),
  lerp = function(name)
    check_all(name, function(p) return p[1]:lerp(p[2], p[3]) end, {randn{2, 3}, randn{3}, randn{2, 1}})
  end,
  nan_to_num = unary(randn), remainder = binary(apart, nil, positive), fmod = binary(apart, nil, positive),
  floor_divide = no_gradient(function(q) return q // 0.4 end), atan2 = binary(apart), hypot = binary(apart),
  logaddexp = binary(randn), xlogy = binary(positive),
  isnan = no_gradient(function(q) return q:isnan() end),
  isinf = no_gradient(function(q) return q:isinf() end),
  isfinite = no_gradient(function(q) return q:isfinite() end),
  logical_not = no_gradient(function(q) return q:logical_not() end),
  logical_and = compare(function(a, b) return a ~= 0 and b ~= 0 end),
  logical_or = compare(function(a, b) return a ~= 0 or b ~= 0 end),
  logical_xor = compare(function(a, b) return (a ~= 0) ~= (b ~= 0) end),
  add = binary(randn), sub = binary(randn), mul = binary(randn), div = binary(randn, nil, positive),
  maximum = binary(randn),
  minimum = binary(randn), pow = binary(positive, nil, randn),
  eq = compare(function(a, b) return a == b end), ne = compare(function(a, b) return a ~= b end),
  lt = compare(function(a, b) return a < b end), le = compare(function(a, b) return a <= b end),
  gt = compare(function(a, b) return a > b end), ge = compare(function(a, b) return a >= b end),
  relu_grad = binary(apart), tanh_grad = binary(randn), sigmoid_grad = binary(randn),
}
