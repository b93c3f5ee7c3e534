-- Values of elementwise functions and reductions that PyTorch has: numbers from tables (mpmath, 17 digits),
-- the edges, integers beyond 2^53, dtypes, numbers instead of tensors, activations by name.
local tide = require "tide"
local check = require "check"

local tests = {}
local F64, I64, U8 = {dtype = "float64"}, {dtype = "int64"}, {dtype = "uint8"}
local nan, inf, big = 0 / 0, math.huge, (1 << 53) + 1

local function list(x) return x:reshape{-1}:totable() end

local function same(got, want, what, tolerance)
  assert(#got == #want, ("%s: %d values for %d"):format(what, #got, #want))
  for i, v in ipairs(want) do
    local u = got[i]
    local fits = u == v or u ~= u and v ~= v or math.abs(u - v) <= (tolerance or 4e-16) * math.abs(v)
    assert(fits, ("%s, value %d: %.17g, expected %.17g"):format(what, i, u, v))
  end
end

local function int(values) return tide.tensor(values, I64) end
local fails = check.fails

local halves = {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, nan, inf, -inf}
local rounded = {
  floor = {-3, -2, -1, 0, 1, 2, nan, inf, -inf}, ceil = {-2, -1, 0, 1, 2, 3, nan, inf, -inf},
  trunc = {-2, -1, 0, 0, 1, 2, nan, inf, -inf}, round = {-2, -2, 0, 0, 2, 2, nan, inf, -inf},
  frac = {-0.5, -0.5, -0.5, 0.5, 0.5, 0.5, nan, nan, nan}, isnan = {0, 0, 0, 0, 0, 0, 1, 0, 0},
  isinf = {0, 0, 0, 0, 0, 0, 0, 1, 1}, isfinite = {1, 1, 1, 1, 1, 1, 0, 0, 0},
  logical_not = {0, 0, 0, 0, 0, 0, 0, 0, 0}, sign = {-1, -1, -1, 1, 1, 1, nan, 1, -1},
}

tests["rounding and predicates, halves and what is no number"] = function()
  for name, want in pairs(rounded) do
    for _, dtype in ipairs{"float32", "float64"} do
      local x = tide.tensor(halves, {dtype = dtype})
      same(list(x[name](x)), want, name)
      local wide = tide.stack{x, x}:transpose() -- strided
      same(list(wide[name](wide):transpose()[1]), want, name)
    end
  end
  for _, name in ipairs{"floor", "ceil", "trunc", "round"} do -- of integers themselves
    local x = int{big, -big, 0}
    assert(x[name](x):dtype() == "int64" and x[name](x):equal(x))
  end
  local x = int{big, 0}
  same(list(x:isnan()), {0, 0}, "isnan") same(list(x:isinf()), {0, 0}, "isinf")
  same(list(x:isfinite()), {1, 1}, "isfinite") same(list(x:logical_not()), {0, 1}, "logical_not")
  assert(tide.isnan(nan) == true and tide.isfinite(inf) == false and tide.floor(-0.5) == -1)
  local one = tide.tensor(nan)
  if not one:isnan() then error "a predicate of one element is a condition" end
  fails("ask :all() or :any()", function() if tide.tensor(halves):isnan() then return 1 end end)
end

tests["round to decimals"] = function()
  same(list(tide.tensor({0.125, -2.346, 1e300, nan, inf}, F64):round(2)), {0.12, -2.35, 1e300, nan, inf},
    "round")
  same(list(tide.tensor({149, 150, -250}, F64):round(-2)), {100, 200, -200}, "round")
  assert(tide.round(2.675, 1) == 2.7 and int{7}:round(3)[1] == 7)
  fails("decimals must be an integer of -30..30, got 0.5", function() return tide.ones{1}:round(0.5) end)
  fails("decimals below 0 are for floats", function() return int{150}:round(-2) end)
end

-- x, y; floor, remainder, fmod
local divisions = {{7, 3, 2, 1, 1}, {-7, 3, -3, 2, -1}, {7, -3, -3, -2, 1}, {-7, -3, 2, -1, -1},
  {6, 3, 2, 0, 0}}

tests["division with a whole result: // and % as Lua's and Python's"] = function()
  for _, dtype in ipairs{"float32", "float64", "int64"} do
    for _, row in ipairs(divisions) do
      local x, y = tide.tensor({row[1]}, {dtype = dtype}), tide.tensor({row[2]}, {dtype = dtype})
      assert((x // y)[1] == row[3] and (x % y)[1] == row[4] and x:fmod(y)[1] == row[5], dtype)
      assert((x // row[2])[1] == row[3] and (row[1] % y)[1] == row[4] and (x // y):dtype() == dtype)
      assert(tide.floor_divide(row[1], row[2]) == row[1] // row[2])
      assert(tide.remainder(row[1], row[2]) == row[1] % row[2])
    end
  end
  local x = tide.tensor({1, 0.3, inf, 5, nan, -1, 1}, F64)
  same(list(x // tide.tensor({0, 0.1, 2, inf, 1, inf, 0.1}, F64)), {inf, 2, nan, 0, nan, -1, 9}, "//")
  same(list(x % tide.tensor({0, 0.1, 2, inf, 1, inf, 0.1}, F64)),
    {nan, 0.3 % 0.1, nan, 5, nan, inf, 1 % 0.1}, "%")
  same(list(tide.tensor({7, 250}, U8) // tide.tensor({2, 7}, U8)), {3, 35}, "uint8 //")
  same(list(tide.tensor({7, 250}, U8) % tide.tensor({2, 7}, U8)), {1, 5}, "uint8 %")
end

tests["an integer divisor of 0 is an error that names it, also in what is compiled"] = function()
  local words = "element 2 of the divisor is 0, and int64 has no infinity"
  fails("floor_divide: " .. words, function() return int{1, 2} // int{1, 0} end)
  fails("remainder: " .. words, function() return int{1, 2} % int{1, 0} end)
  fails("fmod: " .. words, function() return int{1, 2}:fmod(int{1, 0}) end)
  local compiled = tide.compile(function(a, b) return a // b end)
  fails(words, compiled, int{1, 2}, int{1, 0})
  assert(compiled(int{7, 2}, int{2, 1})[1] == 3)
  fails("element 1 of the divisor is 0, and uint8", function() return tide.tensor({1}, U8) % 0 end)
end

tests["integers are exact beyond 2^53"] = function()
  local least = math.mininteger
  local x, y = int{big, -big, math.maxinteger, least}, int{3, big - 2, 2, -1}
  local a, b = list(x), list(y)
  local ops = {add = function(u, v) return u + v end, sub = function(u, v) return u - v end,
    mul = function(u, v) return u * v end, floor_divide = function(u, v) return u // v end,
    remainder = function(u, v) return u % v end, fmod = function(u, v) return math.fmod(u, v) end,
    maximum = math.max, minimum = math.min}
  for name, fn in pairs(ops) do
    for _, run in ipairs{x[name], tide.compile(function(p, q) return p[name](p, q) end)} do
      local got, number, left = list(run(x, y)), list(x[name](x, b[2])), list(tide[name](a[1], y))
      for i = 1, 4 do
        assert(got[i] == fn(a[i], b[i]) and math.type(got[i]) == "integer", name)
        assert(number[i] == fn(a[i], b[2]) and left[i] == fn(a[1], b[i]), name .. " with a number")
      end
    end
  end
  local shifted = tide.compile(function(v) return v + big end)
  assert(shifted(int{1})[1] == big + 1 and tide.full({1}, big, I64)[1] == big)
  assert(int{big}:eq(big - 1):sum():item() == 0 and int{big}:clamp(big, big)[1] == big)
  local m = tide.stack{x, y}
  for _, axis in ipairs{1, 2} do
    local parts = axis == 1 and {{a[1], b[1]}, {a[2], b[2]}, {a[3], b[3]}, {a[4], b[4]}} or {a, b}
    for i, part in ipairs(parts) do
      local sum, product = 0, 1
      for _, v in ipairs(part) do sum, product = sum + v, product * v end
      assert(m:sum(axis)[i] == sum and m:prod(axis)[i] == product)
      assert(m:max(axis)[i] == math.max(table.unpack(part)))
      assert(m:min(axis)[i] == math.min(table.unpack(part)))
    end
  end
  assert(x:abs()[2] == big and x:square()[1] == big * big and (-x)[1] == -big)
  fails("does not fit a tensor of dtype int64", function() return x + 0.5 end)
  fails("does not fit a tensor of dtype int64", function() return x + 2.0 ^ 63 end)
  assert((x + 2.0 ^ 62)[1] == big + (1 << 62))
  same(list(tide.arange(big, big + 7, 2, I64)), {big, big + 2, big + 4, big + 6}, "arange")
  same(list(tide.arange(big, big - 3, -1, I64)), {big, big - 1, big - 2, big - 3}, "arange downwards")
  same(list(tide.arange(math.maxinteger - 1, math.maxinteger, I64)), {math.maxinteger - 1, math.maxinteger},
    "the last integers")
  same(list(tide.linspace(big, big + 6, 4, I64)), {big, big + 2, big + 4, big + 6}, "linspace")
  fails("has too many elements", function() return tide.arange(math.mininteger, math.maxinteger, I64) end)
end

-- Values to 17 digits.
local known = {
  tan = {{-1.25, -3.0095696738628313}, {0.5, 0.54630248984379051}},
  asin = {{0.5, 0.52359877559829887}, {-1, -math.pi / 2}, {1.5, nan}}, acos = {{0.5, 1.0471975511965977}},
  atan = {{2.5, 1.1902899496825317}, {inf, math.pi / 2}},
  sinh = {{1.5, 2.1292794550948175}}, cosh = {{1.5, 2.3524096152432474}, {-inf, inf}},
  asinh = {{-2.5, -1.6472311463710958}}, acosh = {{2.5, 1.5667992369724111}, {0.5, nan}},
  atanh = {{0.5, 0.54930614433405485}, {1, inf}},
  erf = {{0.5, 0.52049987781304654}, {-2, -0.99532226501895273}, {inf, 1}},
  erfc = {{3, 2.2090496998585441e-05}, {-1, 1.8427007929497149}},
  erfinv = {{0.5, 0.47693627620446987}, {-0.999, -2.3267537655135247}, {1, inf}, {2, nan}, {0, 0}},
  lgamma = {{0.5, 0.57236494292470009}, {10.5, 13.940625219403763}, {-1, inf}, {inf, inf}},
  digamma = {{1, -0.57721566490153286}, {0.25, -4.2274535333762654}, {-1.5, 0.70315664064524319}, {-1, nan},
    {0, -inf}},
  log1p = {{1e-10, 9.9999999995000005e-11}, {-1, -inf}, {-2, nan}}, expm1 = {{1e-10, 1.00000000005e-10}},
  log2 = {{8, 3}, {10, 3.3219280948873623}}, log10 = {{1000, 3}}, exp2 = {{0.5, 1.4142135623730951}},
  rsqrt = {{4, 0.5}, {0, inf}},
  gelu = {{1, 0.84134474606854293}, {-1, -0.15865525393145707}, {0, 0}, {inf, inf}},
  gelu_tanh = {{1, 0.8411919906082767}}, silu = {{1, 0.7310585786300049}, {-2, -0.2384058440442351}},
  elu = {{1, 1}, {-1, -0.63212055882855768}, {-inf, -1}}, leaky_relu = {{2, 2}, {-2, -0.02}},
  selu = {{1, 1.0507009873554805}, {-1, -1.1113307378125627}}, mish = {{1, 0.86509838826731035}},
  log_sigmoid = {{1, -0.31326168751822286}, {-800, -800}, {800, 0}}, softsign = {{-3, -0.75}},
  hardtanh = {{-3, -1}, {0.5, 0.5}}, relu6 = {{7, 6}, {-1, 0}}, hardsigmoid = {{1.5, 0.75}, {9, 1}},
  hardswish = {{1.5, 1.125}}, celu = {{-1, -0.63212055882855768}}, logit = {{0.75, 1.0986122886681098}},
}

tests["functions at known places"] = function()
  for name, rows in pairs(known) do
    for _, row in ipairs(rows) do
      same({tide[name](row[1])}, {row[2]}, name .. " of a number")
      local x = tide.tensor({row[1], nan}, F64)
      local y = x[name](x)
      same(list(y), {row[2], nan}, name)
      local single = x:to "float32"
      local z = list(single[name](single))
      local want = tide.tensor(tide[name](single[1])):item()
      assert(z[1] == want or z[1] ~= z[1] and want ~= want or math.abs(z[1] - want) <= 5e-7 * math.abs(want),
        name .. " in float32: " .. z[1])
    end
  end
  same({tide.polygamma(1, 0.5), tide.polygamma(2, 3), tide.polygamma(1, -0.5), tide.polygamma(3, -1.25)},
    {4.9348022005446793, -0.15411380631918857, 8.9348022005446793, 1558.2209125348506}, "polygamma", 1e-15)
  same({tide.polygamma(1, 0), tide.polygamma(1.5, 1), tide.polygamma(-1, 1)}, {inf, nan, nan}, "polygamma")
  same(list(tide.tensor({1, 0, -1, 0}, F64):atan2(tide.tensor({-1, -1, 0, 0}, F64))),
    {0.75 * math.pi, math.pi, -0.5 * math.pi, 0}, "atan2")
  same({tide.hypot(3e200, 4e200), tide.logaddexp(1000, 1000), tide.logaddexp(-inf, -inf), tide.xlogy(0, 0),
    tide.xlogy(2, 3), tide.xlogy(0, nan)}, {5e200, 1000 + math.log(2), -inf, 0, 2 * math.log(3), nan},
    "of two")
  same({tide.gelu(1, {approximate = "tanh"}), tide.elu(-1, 2), tide.leaky_relu(-1, 0.5),
    tide.lerp(1, 3, 0.25)},
    {0.8411919906082767, 2 * -0.63212055882855768, -0.5, 1.5}, "with options")
end

tests["functions that are made of others name themselves in errors"] = function()
  local x = tide.ones{2, 3}
  for _, row in ipairs{{"clamp", 'clamp: low must be a number or a tensor, got "x"', x, "x"},
    {"clamp", "clamp: high must be a number or a tensor, got a table", x, 1, {}},
    {"clamp", "clamp: shapes {2, 3} and {2} cannot be broadcast", x, tide.ones{2}},
    {"isclose", "isclose: shapes {2, 3} and {5} cannot be broadcast", x, tide.ones{5}},
    {"allclose", "allclose: shapes {2, 3} and {5} cannot be broadcast", x, tide.ones{5}},
    {"column", 'column: i must be an integer in 1..3 or -3..-1, got "x"', x, "x"},
    {"column", "column: i must be an integer in 1..3 or -3..-1, got 4", x, 4},
    {"expand", "expand: the shape has 1 axes, fewer than the 2", x, {3}},
    {"expand", "expand: axis 2 has size 3 and cannot become 4", x, {2, 4}},
    {"softmax", "softmax: expected a tensor, got true", true, 1},
    {"log_softmax", "log_softmax: expected a tensor, got a function", print, 1}} do
    check.fails(row[2], tide[row[1]], table.unpack(row, 3))
  end
  check.fails("crossing.step_jacobians: y must be a tensor", tide.crossing.step_jacobians, print, 0, 1)
end

-- torch.xlogy's gradients at these points: derivatives.yaml, xlogy.Tensor, "we choose this value to be zero".
tests["the gradient of xlogy at the corner is that of torch"] = function()
  local p = {x = tide.tensor({0, 0, 0, 2, 0}, F64), y = tide.tensor({0, -1, 2, 3, nan}, F64)}
  local function value(q) return q.x:xlogy(q.y):sum() end
  local g = tide.grad(value)(p)
  same(list(g.x), {0, 0, math.log(2), math.log(3), nan}, "by x", 1e-15)
  same(list(g.y), {nan, -0.0, 0, 2 / 3, nan}, "by y", 1e-15)
  local kept = tide.grad(function(q) return (q.x:xlogy(q.y) * tide.tensor({0, 1, 1, 1, 0}, F64)):sum() end)(p)
  assert(kept.x[1] == 0)
  local twice = tide.grad(function(q) return tide.grad(value)(q).x[4] end)(p)
  same({twice.x[4], twice.y[4]}, {0, 1 / 3}, "second", 1e-15)
end

-- Values from mpmath 1.3 with 50 digits.
tests["tails of gelu_tanh and its derivative, digamma and its derivatives in front of poles"] = function()
  local x = {-3, -5, -8, -20}
  local value = {-0.0036373920817730188, -2.291796196629506e-7, -3.1077829375011112e-21,
    -3.3754509563109673e-261}
  local slope = {-0.011584166630969726, -1.5463619875325946e-6, -4.7147845041068416e-20,
    -2.9424328724945029e-259}
  local gradient = tide.grad(function(v) return v:gelu_tanh():sum() end)
  same(list(tide.tensor(x, F64):gelu_tanh()), value, "gelu_tanh", 1e-13)
  same(list(gradient(tide.tensor(x, F64))), slope, "its derivative", 1e-12)
  local single = tide.tensor{-3, -5, -8}
  same(list(single:gelu_tanh()), {table.unpack(value, 1, 3)}, "gelu_tanh in float32", 1e-5)
  same(list(gradient(single)), {table.unpack(slope, 1, 3)}, "its derivative in float32", 1e-4)
  same({tide.gelu_tanh(0), tide.gelu_tanh(40), tide.gelu_tanh(inf), tide.gelu_tanh(-1e200)}, {0, 40, inf, 0},
    "its ends")
  local before = {-0.9999995, -3.0000001}
  for n, want in ipairs{{-1999999.5773788757, 10000001.272483157}, {4000000000660.778, 100000000327318.78},
                        {-1.6000000003948799e+19, 2.0000000098194733e+21}} do
    same({tide.polygamma(n - 1, before[1]), tide.polygamma(n - 1, before[2])}, want, "order " .. n - 1, 3e-15)
  end
end

tests["integers become floats where the result is none"] = function()
  local x = int{1, 2}
  for name in pairs(known) do
    if name ~= "relu6" and name ~= "hardtanh" then
      assert(x[name](x):dtype() == "float32", name)
    end
  end
  assert((x / 2):dtype() == "float32" and x:std():dtype() == "float32" and x:norm():dtype() == "float32")
end

tests["connectives"] = function()
  local a, b = tide.tensor{0, 1, 0, nan}, tide.tensor{0, 0, 2, 0}
  same(list(a:logical_and(b)), {0, 0, 0, 0}, "and") same(list(a:logical_or(b)), {0, 1, 1, 1}, "or")
  same(list(a:logical_xor(b)), {0, 1, 1, 1}, "xor") same(list(a:logical_not()), {1, 0, 1, 0}, "not")
  assert(a:gt(0):logical_and(b:lt(1)):dtype() == "uint8")
  assert(tide.logical_and(1, 0) == false)
  local p, q = a:ne(0), b:ne(0)
  assert((p & q):equal(p:logical_and(q)) and (p | q):equal(p:logical_or(q)))
  assert((p ~ q):equal(p:logical_xor(q)) and (~p):equal(p:logical_not()))
  assert(tide.compile(function(u, v) return (u & ~v):to "int64" end)(p, q):sum():item() == 2)
  fails("take masks, uint8 as comparisons give, got float32; x:logical_and(...)", function() return p & a end)
  fails("take masks", function() return ~a end)
  fails("take masks, uint8 as comparisons give, got number", function() return p | 1 end)
end

tests["integers to a whole power stay integers"] = function()
  local x = int{3000001, -3, 0, 2}
  for n = 1, 9 do
    local got = list(x ^ n)
    for i, v in ipairs(list(x)) do
      local want = 1
      for _ = 1, n do want = want * v end
      assert(got[i] == want and math.type(got[i]) == "integer", n)
    end
  end
  local cube = tide.compile(function(v) return v ^ 3 end)
  assert(cube(x):equal(x ^ 3) and (tide.tensor({5}, U8) ^ 3):dtype() == "uint8")
  assert((x ^ 0.5):dtype() == "float32" and (x ^ -1)[4] == 0.5 and (x ^ 0)[3] == 1)
end

tests["sums of a few numbers are those in double precision, in order"] = function()
  for _, dtype in ipairs{"float32", "float64"} do
    for n = 1, 17 do
      local wide = tide.randn({7, n + 2}, {seed = n, dtype = dtype})
      for _, x in ipairs{wide:slice(2, 2, n + 1), wide:slice(2, 2, n + 1):clone(),
                         wide:slice(2, 2, n + 1):transpose(1, 2):clone():transpose(1, 2)} do
        local sums, rows = x:sum(2), x:totable()
        for i = 1, 7 do
          local sum = 0.0
          for j = 1, n do sum = sum + rows[i][j] end
          if dtype == "float32" then sum = string.unpack("f", string.pack("f", sum)) end
          assert(n > 15 and math.abs(sums[i] - sum) < 1e-6 or sums[i] == sum, n)
        end
      end
    end
  end
end

tests["long sums and extremes of integers, along each axis"] = function()
  local x = tide.randperm(3000, {seed = 4}):reshape{30, 100} + (1 << 60)
  local rows = x:totable()
  for i = 1, 30 do
    local sum = 0
    for _, v in ipairs(rows[i]) do sum = sum + v end
    assert(x:sum(2)[i] == sum and x:max(2)[i] == math.max(table.unpack(rows[i])))
  end
  assert(x:sum(1):sum():item() == x:sum():item() and x:min(1):min():item() == (1 << 60) + 1)
  assert(x:transpose():max(1):equal(x:max(2)) and x:slice(2, -1, 1, -3):max():item() > 1 << 60)
  local mask = x:gt((1 << 60) + 1500)
  assert(mask:sum():dtype() == "int64" and mask:sum():item() == 1500 and mask:any():item() == 1)
  assert(mask:sum(1):sum():item() == 1500 and mask:transpose():sum(1):equal(mask:sum(2)))
  assert(mask:all():item() == 0 and tide.tensor(1, U8):sum():item() == 1)
end

tests["reductions against what they say"] = function()
  local x = tide.tensor({{1, 2, 4}, {3, nan, 0}}, F64)
  same(list(x:prod(2)), {8, nan}, "prod") same({x:prod():item(), x[1]:prod():item()}, {nan, 8}, "prod")
  same(list(x:nansum(2)), {7, 3}, "nansum") same(list(x:nanmean(2)), {7 / 3, 1.5}, "nanmean")
  same(list(tide.grad(function(p) return p:nansum() + p:nanmean() end)(x)),
    {1.2, 1.2, 1.2, 1.2, 0, 1.2}, "nansum")
  same({int{1, 2}:nansum():item(), int{1, 2}:nanmean():item()}, {3, 1.5}, "nansum")
  same(list(x:count_nonzero(1)), {2, 2, 1}, "count_nonzero")
  same({x:count_nonzero():item()}, {5}, "count_nonzero")
  assert(x:count_nonzero():dtype() == "int64" and tide.tensor({2, 200}, U8):prod():item() == 400)
  local v = x[1]
  same({v:var():item(), v:var(nil, nil, {correction = 0}):item(), v:std():item(), v:var(1, true)[1]},
    {7 / 3, 14 / 9, math.sqrt(7 / 3), 7 / 3}, "var")
  same({v:slice(1, 1, 1):var():item(), v:slice(1, 1, 1):var(1, false, {correction = 0}):item()}, {nan, 0},
    "var")
  same({v:norm():item(), v:norm(1):item(), v:norm(inf):item(), v:norm(-inf):item(), v:norm(0):item(),
    v:norm(3):item(), v:norm(-1):item()},
    {math.sqrt(21), 7, 4, 1, 3, 73 ^ (1 / 3), 1 / 1.75}, "norm")
  assert(x:norm(2, 1, true):shape()[1] == 1 and x:norm(nil, {1, 2}):rank() == 0)
  local tiny = tide.tensor{3e-30, 4e-30}
  assert(math.abs(tiny:norm():item() / 5e-30 - 1) < 1e-6 and (tiny * 1e60):norm():isinf():item() == 1)
  local large = tide.tensor{3e30, 4e30}
  assert(math.abs(large:norm():item() / 5e30 - 1) < 1e-6)
  same(list(tide.grad(function(p) return p:norm() + p:std() + p:norm(3) + p:norm(1) end)(tide.zeros({3},
    F64))),
    {0, 0, 0}, "gradient at 0")
  same(list(tide.grad(function(p) return p:prod() end)(tide.tensor({2, 0, 5}, F64))), {0, 10, 0},
    "beside a 0")
  same(list(tide.grad(function(p) return p:prod() end)(tide.tensor({0, 0, 5}, F64))), {0, 0, 0}, "beside two")
  fails('unknown option "corection" (did you mean "correction"?)', v.var, v, 1, true, {corection = 0})
  fails("norm: p must be a number, got \"fro\"", v.norm, v, "fro")
  fails("approximate must be \"none\" or \"tanh\"", v.gelu, v, {approximate = "tan"})
end

tests["what is close, and what replaces NaN"] = function()
  local x = tide.tensor({1, nan, inf}, F64)
  same(list(x:isclose(x)), {1, 0, 1}, "isclose")
  assert(not x:allclose(x) and x:allclose(x, {equal_nan = true}) and not x:equal(x))
  assert(tide.ones{2}:equal(tide.ones{2}) and not tide.ones{2}:equal(tide.ones{2, 1}))
  assert(not tide.ones{1}:allclose(1.001) and tide.ones{1}:allclose(1.001, {rtol = 1e-2}))
  local whole, byte = tide.tensor({3, 5}, {dtype = "int64"}), tide.tensor({3, 5}, {dtype = "uint8"})
  for _, y in ipairs{whole, byte, tide.tensor{3, 5}} do -- integers too
    assert(whole:allclose(y) and byte:allclose(y) and tide.tensor{3, 5}:allclose(y))
    same(list(byte:isclose(y + 2, {atol = 2, rtol = 0})), {1, 1}, "isclose of integers")
  end
  fails("isclose: expected a tensor, got \"a\"", x.isclose, x, "a")
  fails("nan_to_num: high must be a number, got \"a\"", x.nan_to_num, x, 0, "a")
  fails("celu: alpha must not be 0", x.celu, x, 0)
  fails("hardtanh: low must be a number, got \"a\"", x.hardtanh, x, "a")
  same(list(tide.tensor({nan, inf, -inf, 2}, F64):nan_to_num(0, 5)), {0, 5, -1.7976931348623157e308, 2},
    "nan")
end

tests["activations by name, as layers and fused behind a product"] = function()
  local x = tide.randn({5, 3}, {seed = 1, dtype = "float64"})
  local model = tide.nn.linear(3, 4, {seed = 2, dtype = "float64"})
  for _, name in ipairs{"gelu", "silu", "elu", "selu", "celu", "leaky_relu", "mish", "relu6", "hardtanh",
    "hardsigmoid", "hardswish", "log_sigmoid", "softsign", "erf", "atan"} do
    local want = model(x)
    want = want[name](want)
    local chain = tide.nn.chain{model, name}
    assert(chain(x):equal(want), name)
    assert(tide.compile(function(v) return chain(v) end)(x):allclose(want, {rtol = 1e-13}), name)
    local f = tide.nn.mlp{sizes = {3, 8, 3}, act = name, seed = 3}
    local ys = tide.odeint(f, x:to "float32", {0, 1}, {method = "rk4", steps = 4})
    assert(ys:isfinite():all():item() == 1, name)
  end
  fails('unknown activation "gelo" (did you mean "gelu"?)', tide.nn.activation, "gelo")
end

tests["the same bits on any number of threads"] = function()
  local before = tide.threads()
  local x = tide.randn({300, 401}, {seed = 3})
  local function all(v)
    return {v:gelu(), v:erf(), v % 0.7, v // 0.3, v:prod(1), v:std(2), v:norm(), v:norm(3, 1),
      v:abs():lgamma()}
  end
  local got = {}
  for _, n in ipairs{1, 3} do
    tide.threads(n)
    got[n] = all(x)
  end
  tide.threads(before)
  for i, y in ipairs(got[1]) do assert(y:equal(got[3][i]), i) end
end

tests["what is far from infinity is not close to it"] = function()
  local x = tide.tensor({1, inf, -inf, nan, 1e300}, F64)
  same(list(x:isclose(inf)), {0, 1, 0, 0, 0}, "beside inf")
  same(list(x:isclose(tide.full({5}, -inf, F64))), {0, 0, 1, 0, 0}, "beside -inf")
  assert(not tide.tensor{1}:allclose(inf) and tide.tensor{inf}:allclose(inf))
  for _, dtype in ipairs{"float32", "float64"} do
    assert(1 / tide.abs(tide.tensor(-0.0, {dtype = dtype})):item() == inf)
  end
end

tests["compositions count integers as numbers: nothing wraps around"] = function()
  local bytes = {3, 200, 0, 255}
  for _, dtype in ipairs{"uint8", "int64"} do
    local x, y = tide.tensor(bytes, {dtype = dtype}), tide.tensor({200, 3, 255, 0}, {dtype = dtype})
    for _, name in ipairs{"softmax", "log_softmax", "logsumexp", "logit", "softsign", "mish", "hardswish"} do
      local got, want = tide[name](x), tide[name](tide.tensor(bytes))
      assert(got:dtype() == "float32")
      same(list(got), list(want), name .. " of " .. dtype, 1e-6)
    end
    same(list(x:lerp(y, 0.5)), {101.5, 101.5, 127.5, 127.5}, "lerp")
    same(list(tide.mse(x, y)), {(2 * 197 ^ 2 + 2 * 255 ^ 2) / 4}, "mse")
    same(list(tide.smooth_l1(x, y)), {225.5}, "smooth_l1")
    same(list(tide.cross_entropy(x:reshape{1, 4}, int{1})), {252}, "cross_entropy")
  end
  assert(tide.lerp(1, 3, 0.5) == 2)
end

tests["derivatives at bounds that are numbers are 0; bounds must fit integers"] = function()
  local function slopes(fn, values)
    return list(tide.grad(function(x) return fn(x):sum() end)(tide.tensor(values, F64)))
  end
  same(slopes(function(x) return x:clamp(0, 0.5) end, {-1, 0, 0.25, 0.5, 1}), {0, 0, 1, 0, 0}, "clamp")
  same(slopes(tide.relu6, {-0.0, 0, 3, 6}), {0, 0, 1, 0}, "relu6")
  same(slopes(tide.hardtanh, {-1, 0, 1}), {0, 1, 0}, "hardtanh")
  same(slopes(tide.hardsigmoid, {-3, 0, 3}), {0, 1 / 6, 0}, "hardsigmoid", 1e-15)
  same(list(tide.clamp(tide.tensor{nan, -inf, inf}, -1, 2)), {nan, -1, 2}, "clamp")
  same(list(tide.clamp(tide.tensor{1, 5}, 3, 2)), {2, 2}, "clamp")
  same(list(tide.clamp(tide.tensor{1, 5}, tide.tensor{2, 2}, 4)), {2, 4}, "clamp")
  fails('clamp: the bound -1 does not fit a tensor of dtype uint8; convert with x:to("float32")',
    tide.clamp, tide.tensor({1}, U8), -1)
  fails("hardtanh: the bound -1", tide.hardtanh, tide.tensor({1}, U8))
  fails("clamp: the bound 0.5", tide.clamp, int{1}, 0, 0.5)
end

tests["integers far from 0 and near each other keep their differences"] = function()
  local x = int{1700000001, 1700000002, 1700000003}
  local y = tide.tensor({1, 2, 3}, F64)
  same({x:var():item(), x:std():item(), int{16777217, -16777216}:mean():item()}, {1, 1, 0.5}, "moments")
  for _, name in ipairs{"softmax", "log_softmax"} do
    local got = x[name](x)
    assert(got:dtype() == "float32")
    same(list(got), list(y[name](y)), name, 1e-7)
  end
  same(list(tide.compile(tide.var)(x)), {1}, "recorded")
end

tests["norms with p below 0: 0 where an element is, with derivative 0"] = function()
  local x = tide.tensor({{0, 2, 4}, {1, 2, 4}}, F64)
  same(list(x:norm(-1, 2)), {0, 1 / 1.75}, "norm")
  local g = tide.grad(function(z) return z:norm(-1, 2):sum() end)(x)
  local y = 1 / 1.75
  same(list(g), {0, 0, 0, y * y, y * y / 4, y * y / 16}, "gradient", 1e-15)
  assert(tide.zeros{2, 0}:norm(-1, 1):numel() == 0)
end

tests["lerp ends at its ends; deviations of float32 neither overflow nor vanish"] = function()
  local x, y = tide.tensor({1e300, 2, -1}, F64), tide.tensor({2.5, -1e300, 3}, F64)
  same(list(x:lerp(y, 1)), list(y), "1")
  same(list(x:lerp(y, 0)), list(x), "0")
  same(list(x:lerp(y, tide.tensor({1, 0, 0.25}, F64))), {2.5, 2, 0}, "weights")
  assert(tide.lerp(1e300, 2.5, 1) == 2.5 and tide.lerp(1, 3, 0.25) == 1.5)
  same(list(tide.tensor{{1e-30, 3e-30}, {1e38, 3e38}}:std(2)), {math.sqrt(2) * 1e-30, math.sqrt(2) * 1e38},
    "std", 1e-6)
end

return tests
