-- Every op: gradients in float64 against central differences, on awkward shapes and views. An op without an
-- entry fails.
local tide = require "tide"
local core = tide.core

local F64 = {dtype = "float64"}
local op_checks = require "op_checks"
local randn = op_checks.randn
local layouts, check, check_all = op_checks.layouts, op_checks.check, op_checks.check_all

local unary, no_gradient = op_checks.unary, op_checks.no_gradient

local function reduction(make, least)
  return function(name)
    for _, x in ipairs(layouts(make{2, 3, 2})) do
      for _, axis in ipairs{1, 2, 3, -1, -3, {1, 3}, {2, -1}} do
        check_all(name, function(q) return q[name](q, axis) end, x)
        check_all(name, function(q) return q[name](q, axis, true) end, x)
      end
      check_all(name, function(q) return q[name](q) end, x)
    end
    for _, shape in ipairs{{}, {1}, {1, 1}, {4}} do
      if (shape[1] or 1) >= (least or 1) then
        check_all(name, function(q) return q[name](q) end, make(shape))
      end
    end
  end
end

-- Distinct values, so that differences do not cross a change of the winner.
local function distinct(shape)
  local n = 1
  for _, k in ipairs(shape) do n = n * k end
  return (tide.randperm(n, {seed = 3}):to("float64") * 0.37):reshape(shape)
end

local function softmaxes(name)
  for _, x in ipairs(layouts(randn{3, 2, 4})) do
    for _, axis in ipairs{1, 2, -1} do check_all(name, function(q) return q[name](q, axis) end, x) end
  end
  check_all(name, function(q) return q[name](q, 1) end, randn{1})
end

local function matrices(fn)
  return function(name)
    for _, shape in ipairs{{3, 3}, {2, 4}, {4, 2}, {2, 2, 3}} do
      for _, x in ipairs(layouts(randn(shape))) do check_all(name, fn, x) end
    end
  end
end

local cases = {
  sum = reduction(randn), mean = reduction(randn), nansum = reduction(randn), nanmean = reduction(randn),
  var = reduction(randn, 2), std = reduction(distinct, 2),
  prod = reduction(randn),
  count_nonzero = no_gradient(function(q) return q:count_nonzero(1, true) end),
  norm = function(name)
    for _, p in ipairs{1, 2, 3, 1.5, -2, math.huge, -math.huge} do
      for _, x in ipairs(layouts(distinct{2, 3, 2} - 2)) do
        for _, axis in ipairs{1, -1, {1, 3}} do
          check_all(name .. p, function(q) return q:norm(p, axis) end, x, true)
        end
      end
      check_all(name .. p, function(q) return q:norm(p, nil, true) end, distinct{4})
      check_all(name .. p, function(q) return q:norm(p, 1) end, distinct{1})
    end
  end,
  max = reduction(distinct),
  min = reduction(distinct),
  logsumexp = reduction(randn), softmax = softmaxes, log_softmax = softmaxes,
  argmax = no_gradient(function(q) return q:argmax(2, true) end), argmin = no_gradient(function(q)
    return q:argmin(2, true)
  end),
  clone = unary(randn), alias = unary(randn, nil, function(q) return core.apply("alias", {}, q):sin() end),
  copy = unary(randn, nil, function(q) return core.apply("copy", {}, q):sin() end),
  to = function(name) check_all(name, function(q) return q:to("float64"):sin() end, randn{2, 3}) end,
  cast = function()
    local g = tide.grad(function(q) return (q:to("float64"):square()):sum() end)(tide.tensor{1, 2})
    assert(g:dtype() == "float32" and g[2] == 4)
    assert(tide.tensor{1.9, -1.9}:to("int64")[2] == -1)
  end,
  stop_gradient = no_gradient(function(q) return q:stop_gradient() end),
  reshape = function(name)
    for _, x in ipairs(layouts(randn{2, 3, 2})) do
      for _, shape in ipairs{{12}, {3, 4}, {-1, 2}, {2, 1, 6}, {1, 12}} do
        check_all(name, function(q) return q:reshape(shape):sin() end, x)
        local a, b = x:reshape{12}, x:clone():reshape(shape):reshape{12}
        assert((a - b):abs():sum():item() == 0)
      end
    end
    check_all(name, function(q) return q:reshape{} end, randn{1, 1})
    check_all(name, function(q) return q:reshape{1, 1} end, randn{})
  end,
  flatten = function(name) check_all(name, function(q) return q:flatten(2):sin() end, randn{2, 3, 2}) end,
  permute = function(name)
    check_all(name, function(q) return q:permute{3, 1, 2}:sin() end, randn{2, 3, 2})
  end,
  transpose = function(name)
    check_all(name, function(q) return q:transpose(1, -1):sin() end, randn{2, 3, 2})
    check_all(name, function(q) return q:transpose():sin() end, randn{2, 3, 2})
  end,
  broadcast = function(name)
    check_all(name, function(q) return q:broadcast_to{4, 2, 3}:sin() end, randn{2, 1})
    check_all(name, function(q) return q:broadcast_to{2, 2} end, randn{})
  end,
  select = function(name)
    local x = randn{5, 4}
    for _, s in ipairs{{1, 2}, {2, -1}, {-1, 1}} do
      for _, view in ipairs(layouts(x)) do
        check_all(name, function(q) return q:select(table.unpack(s)):sin() end, view)
      end
    end
    local one = randn{3}
    assert(one:select(1, 2):rank() == 0 and one:select(1, 2):item() == one[2])
    check_all(name, function(q) return q:select(1, -1) * q end, one)
  end,
  slice = function(name)
    local x = randn{5, 4}
    for _, s in ipairs{{1, 2, 4}, {1, 5, 1, -2}, {2, -1, 1, -1}, {2, 2, 4, 2}, {1, 3, 3}, {1, 3, 2}} do
      for _, view in ipairs(layouts(x)) do
        check_all(name, function(q) return q:slice(table.unpack(s)):sin() end, view, s[2] == 3 and s[3] == 2)
      end
    end
    check_all(name, function(q) return q[2] + q[-1] + q[2]:slice(1, 1, 1) end, x)
  end,
  embed = function(name)
    check_all(name, function(q) return core.apply("embed", {1, 2, 5, 3, -1, 4}, q):sin() end, randn{2, 3})
  end,
  cat = function(name)
    check_all(name, function(p) return tide.cat(p, 1):sin() end, {randn{2, 3}, randn{1, 3}, randn({0, 3})})
    check_all(name, function(p) return tide.cat({p[1], p[2]:transpose(), p[1]}, -1):sin() end,
      {randn{2, 3}, randn{2, 2}})
    local many = {}
    for i = 1, 20 do many[i] = randn({1}, i) end
    check_all(name, function(p) return tide.cat(p):sin() end, many)
  end,
  stack = function(name)
    for _, axis in ipairs{1, 2, -1} do
      check_all(name, function(p) return tide.stack(p, axis):sin() end, {randn{2, 3}, randn({2, 3}, 4)})
    end
    check_all(name, function(p) return tide.stack(p):sin() end, {randn{}, randn({}, 4)})
  end,
  take = function(name)
    for _, x in ipairs(layouts(randn{4, 3})) do
      check_all(name, function(q) return q:take({2, 2, 4, 1}):sin() end, x)
      check_all(name, function(q) return q:take({3, 3, 1}, -1):sin() end, x)
    end
    check_all(name, function(q) return q:take({}):sin() end, randn{4, 3}, true)
    check_all(name, function(q) return q:take({{2, 2}, {4, 1}}):sin() end, randn{4, 3})
    check_all(name, function(q) return q:take({{3}, {1}}, 2) * 2 end, randn{2, 3, 2})
    check_all(name, function(q) return q:take(tide.tensor(2, {dtype = "int64"}), -1):sin() end, randn{2, 3})
  end,
  take_grad = function(name)
    local positions = tide.tensor({2, 2, 4}, {dtype = "int64"})
    check_all(name, function(q) return core.apply("take_grad", {0, 5}, q, positions):sin() end, randn{3, 2})
  end,
  one_hot = function()
    local h = tide.one_hot(tide.tensor({2, 1, 3}, {dtype = "int64"}), 3, F64)
    assert(h:dtype() == "float64" and h[1][2] == 1 and h[3][3] == 1 and h:sum():item() == 3)
  end,
  where = function(name)
    local c = randn({2, 3}, 9):gt(0)
    for _, condition in ipairs{c, c:transpose():clone():transpose(), c:slice(1, 1, 1),
      tide.tensor(1, {dtype = "uint8"})} do
      check_all(name, function(p) return tide.where(condition, p[1], p[2]) end, {randn{2, 3}, randn{3}})
      check_all(name, function(p) return tide.where(condition, p[1], p[2]) end, {randn{}, randn{2, 1}})
      check_all(name, function(q) return tide.where(condition, q, q * 2) end, randn{2, 3})
      check_all(name, function(q) return tide.where(condition, q, 0) end, randn{2, 3})
    end
  end,
  clamp = function(name) check_all(name, function(q) return q:clamp(-0.4, 0.9) end, randn{3, 4}) end,
  matmul = function(name)
    local shapes = {{{2, 3}, {3, 4}}, {{1, 1}, {1, 1}}, {{3}, {3}}, {{3}, {3, 2}}, {{2, 3}, {3}},
      {{4, 2, 3}, {3, 2}}, {{2, 3}, {4, 3, 2}},
      {{4, 2, 3}, {4, 3, 1}}, {{2, 1, 2, 3}, {3, 3, 2}}, {{2, 0}, {0, 3}}, {{0, 2}, {2, 3}},
      {{1, 2, 3}, {2, 3, 2}}}
    for _, s in ipairs(shapes) do
      for i, a in ipairs(layouts(randn(s[1], 1))) do
        local bs = layouts(randn(s[2], 2))
        local b = bs[i % #bs + 1]
        check_all(name, function(p) return p[1]:matmul(p[2]) end, {a, b}, a:numel() == 0)
        if a:rank() >= 2 and b:rank() >= 2 then
          check_all(name, function(p) return p[2]:transpose():matmul(p[1]:transpose()) end, {a, b}, true)
        end
      end
    end
    check_all(name, function(q) return q:matmul(q) end, randn{3, 3})
    check_all(name, function(q) return q:matmul(q:transpose()) end, randn{2, 3})
    check_all(name, function(q) return q:broadcast_to{3, 3}:matmul(q:reshape{3, 1}) end, randn{3})
  end,
  tril = matrices(function(q) return q:tril():sin() + q:tril(-1) + q:tril(2) end),
  triu = matrices(function(q) return q:triu():sin() + q:triu(-1) + q:triu(2) end),
  diag = function(name)
    for k = -2, 2 do
      local function fn(q) return q:diag(k):sin() end
      for _, x in ipairs(layouts(randn{2, 3})) do check_all(name, fn, x, true) end
      for _, x in ipairs(layouts(randn{3})) do check_all(name, fn, x) end
    end
  end,
  conv = function(name)
    local options = {{}, {stride = 2}, {padding = 2}, {dilation = 2, padding = 1}, {groups = 2},
      {stride = {2, 1}, padding = {0, 2}, dilation = {1, 2}}}
    for _, o in ipairs(options) do
      local g = o.groups or 1
      check_all(name, function(p) return tide.conv2d(p[1], p[2], p[3], o) end,
        {randn{2, 2, 5, 4}, randn({4, 2 // g, 3, 2}, 2), randn{4}})
    end
    check_all(name, function(p) return tide.conv2d(p[1], p[2]) end, {randn{1, 1, 1, 1}, randn{1, 1, 1, 1}})
    check_all(name, function(p) return tide.conv2d(p[1]:transpose(3, 4), p[2]:transpose(1, 2)) end,
      {randn{1, 2, 3, 4}, randn({2, 2, 2, 2}, 3)})
    check_all(name, function(q) return tide.conv2d(q, q) end, randn{2, 2, 2, 2})
    for _, o in ipairs{{}, {stride = 2, padding = 3}, {dilation = 3, padding = 1}, {groups = 2}} do
      local g = o.groups or 1
      check_all(name, function(p) return tide.conv1d(p[1], p[2], p[3], o) end,
        {randn{2, 2, 7}, randn({2, 2 // g, 3}, 2), randn{2}})
    end
    check(name, function(p) return tide.conv2d(p[1], p[2], nil, {padding = 1}) end,
      {randn{1, 8, 8, 8}, randn({8, 8, 3, 3}, 2)})
  end,
  conv_dx = function(name)
    check_all(name, function(p) return core.apply("conv_dx", {2, 1, 1, 0, 1, 1, 1, 4, 3}, p[1], p[2]) end,
      {randn{1, 2, 2, 2}, randn({2, 2, 3, 2}, 2)})
  end,
  conv_dw = function(name)
    check_all(name, function(p) return core.apply("conv_dw", {2, 1, 1, 0, 1, 1, 1, 3, 2}, p[1], p[2]) end,
      {randn{1, 2, 4, 3}, randn({1, 2, 2, 2}, 2)})
  end,
  conv_matrix = function(name)
    for _, a in ipairs{{1, 1, 1, 1, 1, 1, 1, 2, 3}, {2, 1, 0, 2, 1, 2, 1, 3, 3}} do
      check_all(name, function(q) return core.apply("conv_matrix", a, q):sin() end, randn{2, 3, 3, 2})
    end
  end,
  conv_matrix_grad = function(name)
    check_all(name,
      function(q) return core.apply("conv_matrix_grad", {1, 1, 1, 1, 1, 1, 1, 2, 3, 2, 3, 3, 2}, q):sin() end,
      randn{3 * 2 * 3, 2 * 2 * 4})
  end,
}
for name, case in pairs(require "layer_ops") do cases[name] = case end
for name, case in pairs(require "elementwise_cases") do cases[name] = case end
cases.conv1d, cases.conv2d, cases.broadcast_to = cases.conv, cases.conv, cases.broadcast
local indexing = require "indexing_cases"
for name, case in pairs(indexing.gradients) do cases[name] = case end

-- Leaves of a tape, linear algebra (test_linalg.lua checks it), ops that are supplied from above (the
-- solver's tests check those), and what is made after derivatives (test_passes.lua).
local leaves = {input = true, constant = true, literal = true, random = true, custom = true, layer = true,
  conv_layer = true, band = true, solve = true, inverse = true, det = true, slogdet = true,
  cofactors = true, cholesky = true, qr = true, eigh = true, eigvals = true, svd = true, matrix_exp = true}
-- Methods that are no ops, or whose results are no floats.
local plain = {isclose = true, allclose = true, equal = true, all = true, any = true, shape = true,
  dtype = true, numel = true, rank = true, item = true,
  totable = true, copy_ = true, close = true}

for name in pairs(indexing.plain) do plain[name] = true end

local tests = {}

for name, case in pairs(cases) do tests["gradient of " .. name] = function() case(name) end end

tests["every row of the op table and every method has a case"] = function()
  for _, name in ipairs(require("check").op_names()) do
    assert(cases[name] or leaves[name], "the op " .. name .. " has no gradient case in test_ops.lua")
  end
  for name in pairs(core.methods) do
    assert(name:match("^_") or cases[name] or plain[name], "the method " .. name .. " has no gradient case")
  end
end

tests["derivatives at kinks and ties"] = function()
  local function g(fn, ...) return tide.grad(function(q) return fn(q):sum() end)(tide.tensor({...}, F64)) end
  assert(g(tide.relu, 0)[1] == 0 and g(tide.abs, 0)[1] == 0 and g(tide.sign, 0)[1] == 0)
  local ties = g(function(q) return q:max() end, 1, 3, 3)
  assert(ties[1] == 0 and ties[2] == 0.5 and ties[3] == 0.5)
  assert(g(function(q) return q:min() end, 2, 2)[1] == 0.5)
  assert(g(function(q) return q:maximum(1) end, 1)[1] == 0.5 and g(function(q) return q:minimum(1) end,
    1)[1] == 0.5)
  local power = g(function(q) return q ^ 0 + q ^ 1 + q ^ 3 end, 0, 2, -2)
  assert(power[1] == 1 and power[2] == 13 and power[3] == 13)
  local second = tide.grad(
    function(p) return tide.grad(function(q) return (q ^ 1 + q ^ 3):sum() end)(p):sum() end)(
    tide.tensor({0, 2}, F64))
  assert(second[1] == 0 and second[2] == 12)
end

-- float32 exp, tanh, sigmoid and softplus are the engine's own; distance from the float64 value in units of
-- the last place
local function worst_ulp(name, low, high)
  local x = tide.linspace(low, high, 40001)
  local y, z = x[name](x):totable(), x:to("float64")[name](x:to("float64")):totable()
  local worst = 0
  for i, true_value in ipairs(z) do
    local a = math.abs(true_value)
    if a > 2 ^ -126 and a < 2 ^ 128 then
      worst = math.max(worst, math.abs(y[i] - true_value) / 2.0 ^ (math.floor(math.log(a, 2)) - 23))
    end
  end
  return worst
end

for _, name in ipairs{"exp", "tanh", "sigmoid", "softplus"} do
  tests["float32 " .. name .. " is within 3 ulp"] = function()
    for _, range in ipairs{{-1, 1}, {-20, 20}, {-103, 88}, {-0.7, -0.5}} do
      local worst = worst_ulp(name, range[1], range[2])
      assert(worst <= 3, ("%s on %g..%g: %.2f ulp"):format(name, range[1], range[2], worst))
    end
  end
end

tests["float32 functions at the edges"] = function()
  local inf, nan = math.huge, 0 / 0
  local x = tide.tensor{-inf, -1e30, -1000, 0, 1000, 1e30, inf, nan}
  local wanted = {exp = {0, 0, 0, 1, inf, inf, inf}, tanh = {-1, -1, -1, 0, 1, 1, 1},
    sigmoid = {0, 0, 0, 0.5, 1, 1, 1},
                  softplus = {0, 0, 0, math.log(2), 1000, 1e30, inf}}
  for name, values in pairs(wanted) do
    local y = x[name](x):totable()
    for i, v in ipairs(values) do
      assert(y[i] == v or math.abs(y[i] / v - 1) < 1e-6, ("%s: %g"):format(name, y[i]))
    end
    assert(y[8] ~= y[8], name .. " of NaN")
  end
end

return tests
