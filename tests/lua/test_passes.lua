--- Passes over the tapes of fields (core/autodiff/passes.h): fields of many forms give what the same ops give
-- one by one, outside of any field, and so do their gradients.

local check = require "check"
local tide = require "tide"

local tests = {}

local f64 = {dtype = "float64"}
local function randn(shape, seed, dtype)
  return tide.randn(shape, {seed = seed, dtype = dtype or "float64"})
end
local close = check.close

-- ---- the reference: steps written out, recorded without any field ----

local function steps_of_rk4(f, y, t0, t1, steps)
  local h = (t1 - t0) / steps
  for i = 0, steps - 1 do
    local t = t0 + i * h
    local function at(s) return tide.full({}, s, {dtype = y:dtype()}) end
    local k1 = f(at(t), y)
    local k2 = f(at(t + h / 2), y + k1 * (h / 2))
    local k3 = f(at(t + h / 2), y + k2 * (h / 2))
    local k4 = f(at(t + h), y + k3 * h)
    y = y + (k1 + k2 * 2 + k3 * 2 + k4) * (h / 6)
  end
  return y
end

local function weighted(y) return (y * randn(y:shape(), 77, y:dtype())):sum() end

-- Value and gradients by y0 and the parameters, through odeint and written out.
local function both_ways(make, p, y0, opts, steps)
  local function through(q)
    return weighted(tide.odeint(make(q), q.y0, {0.1, 0.9}, opts)[2])
  end
  local function by_hand(q) return weighted(steps_of_rk4(make(q), q.y0, 0.1, 0.9, steps)) end
  local all = {y0 = y0}
  for k, v in pairs(p) do all[k] = v end
  local v1, g1 = tide.value_and_grad(through)(all)
  local v2, g2 = tide.value_and_grad(by_hand)(all)
  return v1, g1, v2, g2
end

-- ---- fields ----
--
-- Each: parameters, y0, and make(p) -> f(t, y).

local n, d, w = 5, 3, 4

local function column(t, y) return t:broadcast_to{#y, 1} end
local function two_layers(p, x, act) return (act(x:matmul(p.a) + p.b)):matmul(p.c) + p.e end
local function mlp_parameters(inputs, outputs)
  return {a = randn({inputs, w}, 1) * 0.5, b = randn({w}, 2), c = randn({w, outputs or d}, 3) * 0.5,
    e = randn({outputs or d}, 4)}
end

local captured = randn({d, d}, 50) * 0.3
local captured_rows = randn({n, d}, 51)

local fields = {}
local function field(name, p, make, y0) fields[name] = {p = p, make = make, y0 = y0 or randn({n, d}, 9)} end

field("time behind y", mlp_parameters(d + 1), function(p)
  return function(t, y) return two_layers(p, tide.cat({y, column(t, y)}, 2), tide.tanh) end
end)
field("time before y", mlp_parameters(d + 1), function(p)
  return function(t, y) return two_layers(p, tide.cat({column(t, y), y}, 2), tide.tanh) end
end)
field("time on both sides", mlp_parameters(d + 2), function(p)
  return function(t, y) return two_layers(p, tide.cat({column(t, y), y, column(t, y)}, 2), tide.sigmoid) end
end)
field("t and t squared", mlp_parameters(d + 2), function(p)
  return function(t, y)
    return two_layers(p, tide.cat({y, column(t, y), column(t * t, y)}, 2), tide.softplus)
  end
end)
field("features of time", mlp_parameters(d + 3), function(p)
  return function(t, y)
    local k = tide.tensor({1, 2, 3}, f64)
    return two_layers(p, tide.cat({y, (t * k):sin():broadcast_to{#y, 3}}, 2), tide.tanh)
  end
end)
field("features of time as a row", mlp_parameters(d + 3), function(p)
  return function(t, y)
    return two_layers(p, tide.cat({(t * tide.tensor({{1, 2, 3}}, f64)):cos():broadcast_to{#y, 3}, y}, 2),
      tide.sin)
  end
end)
field("a parameter beside y", {m = mlp_parameters(d + 2), u = randn({2}, 5)}, function(p)
  return function(_, y) return two_layers(p.m, tide.cat({y, p.u:broadcast_to{#y, 2}}, 2), tide.tanh) end
end)
field("a row per sample beside y", mlp_parameters(d + d + 1), function(p)
  return function(t, y) return two_layers(p, tide.cat({y, captured_rows, column(t, y)}, 2), tide.tanh) end
end)
field("the vector of times", {a = randn({d, d}, 1)}, function(p)
  return function(t, y) return (y:matmul(p.a) + t:broadcast_to{d}):tanh() * t end
end)
field("two products with one cat", {a = randn({d + 1, w}, 1), g = randn({d + 1, w}, 2), c = randn({w, d}, 3)},
  function(p)
  return function(t, y)
    local x = tide.cat({y, column(t, y)}, 2)
    return (x:matmul(p.a):tanh() * x:matmul(p.g):sigmoid()):matmul(p.c)
  end
end)
field("time in each layer, relu", {a = randn({d + 1, w}, 1), c = randn({w + 1, d}, 3)}, function(p)
  return function(t, y)
    local h = tide.cat({y, column(t, y)}, 2):matmul(p.a):relu()
    return tide.cat({h, column(t, y)}, 2):matmul(p.c)
  end
end)
field("one sample", mlp_parameters(d + 1), function(p)
  return function(t, y) return two_layers(p, tide.cat({y, column(t, y)}, 2), tide.tanh) end
end, randn({1, d}, 9))
field("one sample, time not broadcast", mlp_parameters(d + 1), function(p)
  return function(t, y) return two_layers(p, tide.cat({y, t:reshape{1, 1}}, 2), tide.tanh) end
end, randn({1, d}, 9))
field("one feature", {a = randn({2, w}, 1), c = randn({w, 1}, 3), e = randn({1}, 4)}, function(p)
  return function(t, y) return tide.cat({y, column(t, y)}, 2):matmul(p.a):tanh():matmul(p.c) + p.e end
end, randn({n, 1}, 9))
field("a state of one axis", {a = randn({d, d}, 1), e = randn({d}, 4)}, function(p)
  return function(t, y) return (p.a:matmul(y) + p.e * t):tanh() end
end, randn({d}, 9))
field("no samples", mlp_parameters(d + 1), function(p)
  return function(t, y) return two_layers(p, tide.cat({y, column(t, y)}, 2), tide.tanh) end
end, tide.zeros({0, d}, f64))

-- weights
field("W", {a = randn({d, d}, 1)}, function(p) return function(_, y) return y:matmul(p.a):tanh() end end)
field("W transposed", {a = randn({d, d}, 1)}, function(p)
  return function(_, y) return y:matmul(p.a:transpose()):tanh() end
end)
field("W with its transpose", {a = randn({d, w}, 1)}, function(p)
  return function(_, y) return y:matmul(p.a):tanh():matmul(p.a:transpose()) end
end)
field("W scaled", {a = randn({d, d}, 1), s = randn({}, 2)}, function(p)
  return function(_, y) return y:matmul(p.a * p.s):tanh() end
end)
field("W transposed and copied", {a = randn({d, d}, 1)}, function(p)
  return function(t, y)
    return tide.cat({y, column(t, y)}, 2):matmul(tide.cat({p.a:transpose():clone(), p.a:slice(1, 1, 1)},
      1)):tanh()
  end
end)
field("W normalised", {a = randn({d, d}, 1)}, function(p)
  return function(_, y) return y:matmul(p.a / p.a:square():sum():sqrt()):tanh() end
end)
field("W of parts", {a = randn({d, 2}, 1), g = randn({d, 1}, 2)}, function(p)
  return function(_, y) return y:matmul(tide.cat({p.a, p.g}, 2)):tanh() end
end)
field("W raw and transformed", {a = randn({d, d}, 1)}, function(p)
  return function(_, y) return y:matmul(p.a):tanh() + y:matmul(p.a:sin()) * 0.1 + p.a:sum() * 0.1 end
end)
field("an unused parameter", {a = randn({d, d}, 1), unused = randn({2}, 2)}, function(p)
  return function(_, y)
    local _ = p.unused * 2
    return y:matmul(p.a):tanh()
  end
end)
field("a stopped parameter", {a = randn({d, d}, 1), g = randn({d}, 2)}, function(p)
  return function(_, y) return y:matmul(p.a):tanh() + p.g:stop_gradient() * 0.5 end
end)
field("a constant weight", {e = randn({d}, 4)}, function(p)
  local weight = tide.cat({captured, captured:slice(1, 1, 1)}, 1)
  return function(t, y) return (tide.cat({y, column(t, y)}, 2):matmul(weight) + p.e):tanh() end
end)
field("W that depends on time", {a = randn({d, d}, 1), g = randn({d, d}, 2)}, function(p)
  return function(t, y) return y:matmul(p.a + p.g * t):tanh() end
end)
field("biases of two kinds", {a = randn({d, d}, 1), e = randn({d}, 2), g = randn({1, d}, 3),
  h = randn({}, 4)}, function(p)
  return function(t, y) return (((y:matmul(p.a) + p.e) + p.g) + p.e * t + p.h):tanh() end
end)
field("bias before the product", {a = randn({d, d}, 1), e = randn({d}, 2)}, function(p)
  return function(_, y) return (p.e + y:matmul(p.a)):tanh() end
end)
field("bias subtracted", {a = randn({d, d}, 1), e = randn({d}, 2)}, function(p)
  return function(_, y) return (p.e - y:matmul(p.a)):tanh() - (y:matmul(p.a) - p.e):sin() end
end)
field("bias read twice", {a = randn({d, d}, 1), e = randn({d}, 2)}, function(p)
  return function(_, y)
    local z = y:matmul(p.a) + p.e
    return z * z:sigmoid() - z:sin() * 0.2
  end
end)
field("a product of products", {a = randn({d, d}, 1), g = randn({d, d}, 2)}, function(p)
  return function(_, y) return y:matmul(p.a) * y:matmul(p.g) * 0.1 end
end)
field("a product squared", {a = randn({d, d}, 1)}, function(p)
  return function(_, y)
    local z = y:matmul(p.a)
    return z * z * 0.1 - z
  end
end)
field("residual", mlp_parameters(d, d), function(p)
  return function(_, y) return (y + two_layers(p, y, tide.tanh)) * 0.3 end
end)
field("residual inside", {a = randn({d, d}, 1), e = randn({d}, 2)}, function(p)
  return function(_, y)
    local h = y:tanh()
    h = h + (h:matmul(p.a) + p.e):tanh()
    return (h:matmul(p.a) + h):sin()
  end
end)
for _, act in ipairs{"relu", "tanh", "sigmoid", "softplus", "sin", "exp", "square", "neg", "abs"} do
  field("activation " .. act, {a = randn({d, w}, 1), e = randn({w}, 2), c = randn({w, d}, 3) * 0.2},
    function(p)
    return function(_, y)
      return ((y * 0.3):matmul(p.a) + p.e)[act]((y * 0.3):matmul(p.a) + p.e):matmul(p.c)
    end
  end)
end
field("batches of matrices", {a = randn({d, d}, 1), e = randn({d}, 2)}, function(p)
  return function(_, y) return (y:matmul(p.a) + p.e):tanh() end
end, randn({n, 2, d}, 9))
field("softmax and means over features", {a = randn({d, d}, 1)}, function(p)
  return function(_, y)
    local z = y:matmul(p.a)
    return (z - z:mean(2, true)):softmax(2)
  end
end)
field("integers as parameters", {a = randn({d, d}, 1), order = tide.tensor({2, 3, 1}, {dtype = "int64"})},
  function(p)
  return function(_, y)
    return y:take(p.order, 2):matmul(p.a:take(p.order, 1)):tanh() + p.order:to("float64") * 0.1
  end
end)
field("a solve of parameters inside", {a = randn({d}, 1)}, function(p)
  return function(_, y)
    return y:sin() * tide.odeint(function(_, z) return -z end, p.a * 2, {0, 1},
      {method = "rk4", steps = 2})[2]
  end
end)
field("another dtype inside", {a = randn({d, d}, 1)}, function(p)
  return function(_, y) return (y:matmul(p.a) + (p.a:sum():to("float32") * 3):to("float64") * 0.1):tanh() end
end)

field("two products added, one sample", {a = randn({d, d}, 1), g = randn({d, d}, 2)}, function(p)
  return function(_, y) return (y:matmul(p.a) + y:matmul(p.g)):tanh() end
end, randn({1, d}, 9))
field("many features of time", {a = randn({4 * d + 1, w}, 1) * 0.2, g = randn({4 * d + 1, w}, 2) * 0.2,
  c = randn({w, d}, 3)}, function(p)
  return function(t, y)
    local u = (t * tide.tensor({1, 2, 3}, f64)):cos():broadcast_to{#y, 3}
    local x = tide.cat({u, column(t, y), y, u, u}, 2)
    return (x:matmul(p.a):tanh() * x:matmul(p.g)):matmul(p.c)
  end
end)

-- convolutions
local function conv_field(name, length, kernel, opts, channels)
  local c = channels or 2
  field(name, {k = randn({w, c + 1, kernel}, 1) * 0.5, b = randn({w}, 2), l = randn({c, w, kernel}, 3) * 0.5},
    function(p)
    return function(t, y)
      local x = tide.cat({y, t:broadcast_to{#y, 1, y:shape()[3]}}, 2)
      return tide.conv1d(tide.conv1d(x, p.k, p.b, opts):tanh(), p.l, nil, opts)
    end
  end, randn({n, c, length}, 9))
end
conv_field("conv1d, length 1, kernel 1", 1, 1)
conv_field("conv1d, length 1, kernel 3", 1, 3, {padding = 1})
conv_field("conv1d, length 2", 2, 3, {padding = 1})
conv_field("conv1d, length 5", 5, 3, {padding = 1})
conv_field("conv1d, length 5, dilated", 5, 3, {padding = 2, dilation = 2})
conv_field("conv1d, length 40", 40, 3, {padding = 1})
field("conv1d with a stride", {k = randn({4, 2, 3}, 1) * 0.5, b = randn({4}, 2)}, function(p)
  return function(_, y)
    return tide.conv1d(y, p.k, p.b, {padding = 1, stride = 2}):sigmoid():reshape{n, 2, 4}
  end
end, randn({n, 2, 4}, 9))
local function images(name, size)
  field(name, {k = randn({w, 2, 3, 3}, 1) * 0.3, b = randn({w}, 2), l = randn({2, w, 1, 1}, 3),
    e = randn({2}, 4)}, function(p)
    return function(_, y)
      return tide.conv2d(tide.conv2d(y, p.k, p.b, {padding = 1}):softplus() + y:mean(2, true), p.l,
        p.e):tanh()
    end
  end, randn({n, 2, size, size}, 9))
end
images("conv2d, 1x1 images", 1)
images("conv2d, 3x3 images", 3)
images("conv2d, 12x12 images", 12)
field("conv2d in groups, a bias per pixel", {k = randn({2, 1, 3, 3}, 1), b = randn({2, 3, 3}, 2),
  s = randn({}, 3)}, function(p)
  return function(t, y)
    return (tide.conv2d(y, p.k, nil, {padding = 1, groups = 2}) + p.b * t + p.s):tanh()
  end
end, randn({n, 2, 3, 3}, 9))
field("conv, a bias per pixel, scalars, flattened",
  {k = randn({2, 2, 3, 3}, 1) * 0.3, b = randn({2, 3, 3}, 2), s = randn({}, 3)}, function(p)
  return function(t, y)
    local z = (tide.conv2d(y, p.k, nil, {padding = 1}) + p.b) * p.s * t + p.s * p.s
    return z:reshape{n, 18}:tanh():reshape{n, 2, 3, 3} + tide.conv2d(z, p.k, nil, {padding = 1}):sin()
  end
end, randn({n, 2, 3, 3}, 9))

-- An eager field is given the time as a number.
local function eagerly(f) return function(t, y) return f(tide.full({}, t, {dtype = y:dtype()}), y) end end

local function all_gradients(case, opts)
  local q = {y0 = case.y0, p = case.p}
  return tide.tree.tensors(
    tide.grad(function(v) return weighted(tide.odeint(case.make(v.p), v.y0, {0.1, 0.9}, opts)[2]) end)(q),
    true)
end

for name, case in pairs(fields) do
  local tolerance = name == "another dtype inside" and 1e-6 or 1e-11
  tests["field: " .. name] = function()
    -- values: recorded, and op by op
    local f, times = case.make(case.p), {0.1, 0.4, 0.9}
    local recorded = tide.odeint(f, case.y0, times, {method = "rk4", steps = 3})
    close(recorded, tide.odeint(eagerly(f), case.y0, times, {method = "rk4", steps = 3, eager = true}), 1e-12,
      "value")
    -- gradients: against steps written out, for each way to take them through fixed steps
    for _, kind in ipairs{"direct", "checkpoint"} do
      local v1, g1, v2, g2 = both_ways(case.make, case.p, case.y0,
        {method = "rk4", steps = 3, gradient = kind}, 3)
      close(v1, v2, 1e-12, kind .. ": loss")
      local a, b = tide.tree.tensors(g1, true), tide.tree.tensors(g2, true)
      assert(#a == #b and #a > 0)
      for i = 1, #a do close(a[i], b[i], tolerance, ("%s: gradient %d"):format(kind, i)) end
    end
  end
  -- The other ways to take a gradient agree with the first one where the steps are small; it agrees with
  -- differences.
  local kinks = name:find "relu" or name:find "abs"
  if case.y0:numel() > 0 and case.y0:numel() < 200 and not name:find "stopped"
    and not name:find "another dtype" and not kinks then
    tests["gradients agree: " .. name] = function()
      local exact = all_gradients(case, {rtol = 1e-10, atol = 1e-10})
      for _, kind in ipairs{"adjoint", "interpolated"} do
        for i, g in ipairs(all_gradients(case, {gradient = kind, rtol = 1e-10, atol = 1e-10})) do
          close(g, exact[i], 1e-6, ("%s: gradient %d"):format(kind, i))
        end
      end
      local function last(p) return tide.odeint(case.make(p), case.y0, {0.1, 0.9}, {steps = 2})[2] end
      local ok, worst = tide.gradcheck(last, case.p, {tolerance = 1e-6})
      assert(ok, ("against differences: %g"):format(worst))
    end
  end
end

-- ---- random fields ----

local function dice(seed)
  local draw = check.draws(seed * 7919)
  return function(a, b) return a + draw(b - a + 1) end
end

-- Each of these makes one step of a field: a function of the parameters q, t, h and the list of earlier
-- values. g: what the field has so far.
local random = {}

-- How a factor is made of parameters.
function random.weight(g, inputs, outputs)
  local kind = g.pick(1, 6)
  if kind == 5 then
    local c = randn({inputs, outputs}, g.seed + 5) * 0.5
    return function() return c end
  end
  local swapped = kind == 1 or kind == 4
  local i, s = g.parameter(swapped and outputs or inputs, swapped and inputs or outputs), kind == 2
    and g.parameter(1)
  local ways = {function(x) return x:transpose() end, function(x, q) return x * q[s] end, function(x)
    return x / (x:square():sum():sqrt() + 1)
  end,
    function(x) return x:sin():transpose():clone() end, nil, function(x) return x end}
  return function(q) return ways[kind](q[i], q) end
end

function random.product(g, outputs)
  local time, rows = g.pick(0, 3), g.rows
  outputs = outputs or 2 * g.pick(1, 3)
  local weight = random.weight(g, g.columns + ({[0] = 0, 1, 3, 2})[time], outputs)
  g.columns = outputs
  return function(q, t, h)
    local x = h
    if time == 1 then x = tide.cat({t:broadcast_to{rows, 1}, h}, 2)
    elseif time == 2 then x = tide.cat({h, (t * tide.tensor({1, 2, 3}, f64)):sin():broadcast_to{rows, 3}}, 2)
    elseif time == 3 then x = tide.cat({(t * t):broadcast_to{rows, 1}, h, t:broadcast_to{rows, 1}}, 2) end
    return x:matmul(weight(q))
  end
end

function random.bias(g)
  local kind, columns, rows = g.pick(1, 5), g.columns, g.rows
  local i = kind <= 3 and g.parameter(table.unpack(({{columns}, {1, columns}, {1}})[kind]))
  return function(q, t, h)
    if kind == 4 then return h + t end
    if kind == 5 then return t:broadcast_to{rows, columns} + h end
    return h + q[i] * (kind == 3 and 2 or 1)
  end
end

function random.activation(g)
  local acts = {"tanh", "sigmoid", "softplus", "sin", "square", "neg", "cos"}
  local act = acts[g.pick(1, #acts)]
  return function(_, _, h) return h[act](h) end
end

function random.earlier(g, k)
  local columns, j = g.columns, g.pick(1, k)
  return function(_, _, h, list)
    local other = list[j]
    return other:shape()[2] == columns and h * 0.5 + other or h * h
  end
end

function random.convolution(g)
  local pixels, rows, i, s = g.columns // 2, g.rows, g.parameter(2, 2, 3), g.parameter(2, 1)
  return function(q, _, h)
    local x = tide.conv1d(h:reshape{rows, 2, pixels}, q[i], nil, {padding = 1})
    return (x + q[s] * q[s]):tanh():reshape{rows, 2 * pixels}
  end
end

-- A field of matrices {rows, columns}, its parameters and a state.
local function random_field(seed)
  local pick, p, steps = dice(seed), {}, {}
  local kinds = {"product", "product", "product", "bias", "activation", "activation", "earlier",
    "convolution"}
  local g = {pick = pick, seed = seed, rows = pick(1, 4), columns = 2 * pick(1, 2)}
  local width = g.columns
  function g.parameter(...)
    p[#p + 1] = randn({...}, seed * 100 + #p) * 0.5
    return #p
  end
  for k = 1, pick(1, 8) do
    local kind = kinds[pick(1, #kinds)]
    steps[k] = random[kind](g, kind == "earlier" and k or nil)
  end
  steps[#steps + 1] = random.product(g, width)
  local function make(q)
    return function(t, y)
      local list = {y}
      for k, step in ipairs(steps) do list[k + 1] = step(q, t, list[k], list) end
      return list[#list]:tanh()
    end
  end
  return make, p, randn({g.rows, width}, seed + 77)
end

tests["random fields"] = function()
  for seed = 1, 300 do
    local make, p, y0 = random_field(seed)
    local function through(q)
      return tide.odeint(make(q.p), q.y0, {0.2, 0.7, 1}, {method = "euler", steps = 2})[3]
    end
    local function by_hand(q)
      local y, f = q.y0, make(q.p)
      for i = 0, 1 do y = y + f(tide.full({}, 0.2 + 0.4 * i, f64), y) * 0.4 end
      return y
    end
    local all = {p = p, y0 = y0}
    local function loss(f)
      return tide.value_and_grad(function(q) return (f(q) * randn(y0:shape(), 3)):sum() end)(all)
    end
    local v1, g1 = loss(through)
    local v2, g2 = loss(by_hand)
    close(v1, v2, 1e-12, ("field %d: value"):format(seed))
    for i = 1, #p do close(g1.p[i], g2.p[i], 1e-10, ("field %d: gradient %d"):format(seed, i)) end
    close(g1.y0, g2.y0, 1e-10, ("field %d: gradient by y0"):format(seed))
  end
end

-- ---- what the passes must not break ----

tests["parameters of another dtype than the state's keep their gradients"] = function()
  local a, y0 = randn({3, 3}, 2, "float32"), randn({4000, 3}, 3, "float32")
  local function f(p)
    return function(_, y)
      return (y:matmul(p):to("float64") * (p:to("float64"):sum() * 2):sin()):to("float32")
    end
  end
  local function by_hand(p)
    local y = y0
    for _ = 1, 2 do y = y + f(p)(nil, y) * 0.5 end
    return y:square():sum()
  end
  local g = tide.grad(
    function(p) return tide.odeint(f(p), y0, {0, 1}, {method = "euler", steps = 2})[2]:square():sum() end)(a)
  close(g, tide.grad(by_hand)(a), 1e-5, "gradient")
end

tests["one product of time and state with very many weights"] = function()
  local weights = {}
  for i = 1, 120 do weights[i] = randn({22, 2}, i) * 0.02 end
  local function f(p)
    return function(t, y)
      local u = (t * tide.tensor({1, 2, 3}, f64)):broadcast_to{#y, 3}
      local x, parts = tide.cat({u, u, y, u, u, u, u, u}, 2), {}
      for i = 1, #p do parts[i] = x:matmul(p[i]) end
      return tide.cat(parts, 2):tanh():sum(2, true)
    end
  end
  local y0 = randn({n, 1}, 9)
  local v1, g1, v2, g2 = both_ways(function(q) return f(q.w) end, {w = weights}, y0,
    {method = "rk4", steps = 2}, 2)
  close(v1, v2, 1e-12, "value")
  for i = 1, #weights do close(g1.w[i], g2.w[i], 1e-11, "gradient " .. i) end
end

tests["long chains of what depends on parameters alone"] = function()
  local g = tide.grad(function(p)
    return tide.odeint(function(_, y)
      local s = p
      for _ = 1, 120000 do s = s * 0.99999 end
      return y * s
    end, tide.ones({2}, f64), {0, 1}, {method = "euler", steps = 1})[2]:sum()
  end)(tide.ones({2}, f64))
  close(g, tide.full({2}, 0.99999 ^ 120000, f64), 1e-10, "gradient")
end

tests["what is captured is read anew at each call"] = function()
  local weight, scale, y0 = randn({d + 1, d}, 1), tide.tensor(1, f64), randn({n, d}, 2)
  local function f(t, y)
    return tide.cat({y, column(t, y)}, 2):matmul(weight):tanh() * scale + weight:slice(1, 1, 1)
  end
  local function loss(y) return tide.odeint(f, y, {0, 1}, {method = "rk4", steps = 2})[2]:square():sum() end
  local step = tide.compile(tide.value_and_grad(loss))
  for i = 1, 3 do
    local v, g = step(y0)
    local v2, g2 = tide.value_and_grad(loss)(y0)
    assert(v:item() == v2:item() and g:ne(g2):sum():item() == 0, "call " .. i)
    local reference = steps_of_rk4(f, y0, 0, 1, 2):square():sum()
    close(v, reference, 1e-12, "call " .. i)
    weight:copy_(weight * -0.7 + 0.1)
    scale:copy_(scale * 2)
  end
end

tests["second derivatives go through the passes"] = function()
  local p = mlp_parameters(d + 1)
  local function loss(q)
    return tide.odeint(function(t, y) return two_layers(q, tide.cat({y, column(t, y)}, 2), tide.tanh) end,
      randn({2, d}, 9), {0, 1},
      {method = "rk4", steps = 2})[2]:square():sum()
  end
  local ok, worst = tide.gradcheck(function(q) return tide.grad(loss)(q).a end, p, {tolerance = 1e-5})
  assert(ok, worst)
end

return tests
