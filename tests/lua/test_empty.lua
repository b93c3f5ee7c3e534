--- Axes of length 0 go through everything, as in NumPy and PyTorch. Every op, layer and loss has a row; one
-- without a row fails the last test.
--
-- A row is a list of {function, what it gives}: a shape; a shape and the value of all elements; or the words
-- of an error.

local tide = require "tide"
local check = require "check"
local core, nn = tide.core, tide.nn
local tests = {}

local I64, nan, inf = {dtype = "int64"}, 0 / 0, math.huge
local e, m, n, h = tide.zeros{0}, tide.zeros{0, 3}, tide.zeros{2, 0}, tide.zeros({0}, I64) -- h: no labels
local euler = {method = "euler", steps = 2}

local rows = {
  sum = {{function() return e:sum() end, {}, 0}, {function() return m:sum(1) end, {3}, 0},
    {function() return m:sum(2) end, {0}},
    {function() return m:sum(1, true) end, {1, 3}, 0}, {function() return h:sum() end, {}, 0}},
  mean = {{function() return e:mean() end, {}, nan}, {function() return m:mean(1) end, {3}, nan},
    {function() return m:mean(2) end, {0}}},
  var = {{function() return e:var() end, {}, nan}, {function() return n:var(2) end, {2}, nan}},
  std = {{function() return e:std() end, {}, nan}, {function() return n:std(2) end, {2}, nan}},
  nansum = {{function() return e:nansum() end, {}, 0}, {function() return m:nansum(1) end, {3}, 0}},
  nanmean = {{function() return e:nanmean() end, {}, nan}, {function() return m:nanmean(1) end, {3}, nan}},
  prod = {{function() return e:prod() end, {}, 1}, {function() return m:prod(1) end, {3}, 1},
    {function() return m:prod(2) end, {0}}, {function() return h:prod() end, {}, 1}},
  norm = {{function() return e:norm() end, {}, 0}, {function() return m:norm(1, 1) end, {3}, 0},
    {function() return m:norm(3, 2) end, {0}}, {function() return e:norm(0) end, {}, 0},
    {function() return e:norm(inf) end, "max: axis 1 is empty"}},
  count_nonzero = {{function() return e:count_nonzero() end, {}, 0},
    {function() return m:count_nonzero(1) end, {3}, 0}},
  polygamma = {{function() return m:polygamma(1) end, {0, 3}}},
  lerp = {{function() return m:lerp(1, 0.5) end, {0, 3}}},
  allclose = {{function() return m:allclose(m) end, true, "as it is"}},
  equal = {{function() return m:equal(m) end, true, "as it is"},
    {function() return m:equal(n) end, false, "as it is"}},
  ["integer division"] = {{function() return h // h end, {0}}, {function() return h % 0 end, {0}}},
  all = {{function() return e:all() end, {}, 1}, {function() return m:all(1) end, {3}, 1}},
  any = {{function() return e:any() end, {}, 0}, {function() return n:any(2) end, {2}, 0}},
  max = {{function() return e:max() end, "max: axis 1 is empty"},
    {function() return m:max(1) end, "max: axis 1 is empty"},
    {function() return m:max(2) end, {0}}},
  min = {{function() return n:min() end, "min: axis 2 is empty"}, {function() return n:min(1) end, {0}}},
  argmax = {{function() return e:argmax() end, "argmax: axis 1 is empty"},
    {function() return m:argmax(2) end, {0}}},
  argmin = {{function() return n:argmin(2) end, "argmin: axis 2 is empty"},
    {function() return n:argmin(1) end, {0}}},
  softmax = {{function() return m:softmax(1) end, {0, 3}}, {function() return m:softmax(2) end, {0, 3}}},
  log_softmax = {{function() return e:log_softmax() end, {0}},
    {function() return n:log_softmax(1) end, {2, 0}}},
  logsumexp = {{function() return m:logsumexp(1) end, {3}, -inf},
    {function() return m:logsumexp(2) end, {0}}},
  matmul = {{function() return n:matmul(m) end, {2, 3}, 0}, {function() return m:matmul(tide.ones{3, 2}) end,
    {0, 2}},
    {function() return e:matmul(e) end, {}, 0},
    {function() return tide.zeros{0, 2, 3}:matmul(tide.ones{3, 4}) end, {0, 2, 4}},
    {function() return tide.ones{4, 2, 0}:matmul(tide.ones{0, 5}) end, {4, 2, 5}, 0},
    {function() return m:matmul(n) end, "inner sizes differ, 3 and 2"}},
  einsum = {{function() return tide.einsum("ij,jk", n, m) end, {2, 3}, 0},
    {function() return tide.einsum("ij,kj->ik", m, tide.ones{2, 3}) end, {0, 2}},
    {function() return tide.einsum("ii->i", tide.zeros{0, 0}) end, {0}},
    {function() return tide.einsum("i->", e) end, {}, 0}},
  outer = {{function() return tide.outer(e, tide.ones{2}) end, {0, 2}}},
  diag = {{function() return e:diag() end, {0, 0}}, {function() return e:diag(-2) end, {2, 2}, 0},
    {function() return m:diag() end, {0}}, {function() return tide.ones{2, 2}:diag(5) end, {0}}},
  tril = {{function() return m:tril() end, {0, 3}}}, triu = {{function() return n:triu() end, {2, 0}}},
  cat = {{function() return tide.cat{m, tide.ones{2, 3}} end, {2, 3}, 1},
    {function() return tide.cat{e, e} end, {0}},
    {function() return tide.cat({n, tide.ones{2, 1}}, 2) end, {2, 1}, 1},
    {function() return tide.cat({m, tide.ones{2, 3}}, 2) end, "cat along axis 2"}},
  stack = {{function() return tide.stack{e, e} end, {2, 0}}, {function() return tide.stack({m, m}, 3) end,
    {0, 3, 2}}},
  take = {{function() return tide.ones{4, 2}:take({}, 2) end, {4, 0}},
    {function() return m:take({3, 1}, 2) end, {0, 2}},
    {function() return m:take({{1, 2}}, 2) end, {0, 1, 2}},
    {function() return m:take{1} end, "position 1 (entry 1) lies outside 1..0"}},
  slice = {{function() return tide.ones{4}:slice(1, 3, 2) end, {0}},
    {function() return m:slice(2, 1, 2) end, {0, 2}},
    {function() return m:slice(1, 1, 1) end, "lie outside 1..0"}},
  select = {{function() return m:select(2, 1) end, {0}}, {function() return n:select(1, 2) end, {0}},
    {function() return m:select(1, 1) end, "select"}},
  reshape = {{function() return m:reshape{7, 0} end, {7, 0}}, {function() return m:reshape{-1} end, {0}},
    {function() return m:reshape{-1, 3} end, {0, 3}},
    {function() return m:reshape{-1, 0} end, "0 elements cannot be arranged"},
    {function() return m:reshape{1} end, "cannot be reshaped"}},
  flatten = {{function() return m:flatten() end, {0}}, {function() return tide.zeros{0, 2, 3}:flatten(2) end,
    {0, 6}}},
  permute = {{function() return tide.zeros{0, 2, 3}:permute{3, 1, 2} end, {3, 0, 2}}},
  transpose = {{function() return m:transpose() end, {3, 0}}},
  broadcast_to = {{function() return tide.ones{1, 3}:broadcast_to{0, 3} end, {0, 3}},
    {function() return e:broadcast_to{2, 0} end, {2, 0}},
    {function() return tide.ones{2}:broadcast_to{0} end, "cannot be broadcast"}},
  where = {{function() return tide.where(m:gt(0), m, 1) end, {0, 3}},
    {function() return tide.where(m, 1, 2) end, {0, 3}}},
  one_hot = {{function() return tide.one_hot(h, 3) end, {0, 3}}, {function() return tide.one_hot(h, 0) end,
    {0, 0}}},
  clamp = {{function() return m:clamp(0, 1) end, {0, 3}}},
  to = {{function() return m:to("int64") end, {0, 3}}, {function() return h:to("float64") end, {0}}},
  shape = {{function() return #m:shape() end, 2}}, rank = {{function() return m:rank() end, 2}},
  numel = {{function() return m:numel() end, 0}},
  dtype = {{function() return h:dtype() end, "int64", "as it is"}},
  totable = {{function() return #n:totable() end, 2},
    {function() return #m:totable() end, 0}},
  item = {{function() return e:item() end, "exactly one element, it has shape {0}"}},
  copy_ = {{function() return m:clone():copy_(m) end, {0, 3}}, {function() return m:clone():copy_(n) end,
    "copy_"}},
  conv1d = {{function() return tide.conv1d(tide.zeros{0, 2, 5}, tide.ones{3, 2, 3}) end, {0, 3, 3}},
    {function() return tide.conv1d(tide.zeros{2, 0, 5}, tide.zeros{3, 0, 3}, tide.ones{3}) end, {2, 3, 3}, 1},
    {function() return tide.conv1d(tide.zeros{1, 2, 0}, tide.ones{3, 2, 3}) end,
      "larger than the padded input"},
    {function() return tide.conv1d(tide.zeros{1, 2, 0}, tide.ones{3, 2, 3}, nil, {padding = 2}) end,
      {1, 3, 2}, 0}},
  conv2d = {{function() return tide.conv2d(tide.zeros{0, 2, 5, 5}, tide.ones{3, 2, 3, 3}) end, {0, 3, 3, 3}},
    {function() return tide.conv2d(tide.zeros{2, 2, 5, 5}, tide.zeros{0, 2, 3, 3}) end, {2, 0, 3, 3}},
    {function() return tide.conv2d(tide.zeros{2, 2, 5, 5}, tide.zeros{3, 2, 0, 3}) end,
      "the kernel is empty"},
    {function() return tide.conv2d(tide.zeros{0, 2, 9, 9}, tide.ones{3, 2, 3, 3}, tide.ones{3},
      {stride = 2, padding = 1}) end, {0, 3, 5, 5}}},
  mse = {{function() return tide.mse(m, m) end, {}, nan}},
  smooth_l1 = {{function() return tide.smooth_l1(e, e) end, {}, nan}},
  binary_cross_entropy = {{function() return tide.binary_cross_entropy(e, e) end, {}, nan}},
  cross_entropy = {{function() return tide.cross_entropy(m, h) end, {}, nan},
    {function() return tide.cross_entropy(tide.zeros{0, 3, 4}, tide.zeros({0, 4}, I64)) end, {}, nan}},
  pow = {{function() return m ^ 2 end, {0, 3}}, {function() return e:pow(e) end, {0}}},
  -- layers
  ["nn.linear"] = {{function() return nn.linear(3, 2)(m) end, {0, 2}}},
  ["nn.activation"] = {{function() return nn.activation("tanh")(m) end, {0, 3}}},
  ["nn.chain"] = {{function() return nn.chain{nn.linear(3, 2), "relu"}(m) end, {0, 2}}},
  ["nn.mlp"] = {{function() return nn.mlp{sizes = {3, 4, 2}}(m) end, {0, 2}}},
  ["nn.flatten"] = {{function() return nn.flatten()(tide.zeros{0, 2, 3}) end, {0, 6}},
    {function() return nn.flatten()(e) end, {0, 1}}},
  ["nn.augment"] = {{function() return nn.augment(2)(m) end, {0, 5}},
    {function() return nn.augment(1)(tide.zeros{0, 2, 4, 4}) end, {0, 3, 4, 4}}},
  ["nn.conv1d"] = {{function() return nn.conv1d(2, 3, 3)(tide.zeros{0, 2, 5}) end, {0, 3, 3}}},
  ["nn.conv2d"] = {{function() return nn.conv2d(2, 3, 3)(tide.zeros{0, 2, 5, 5}) end, {0, 3, 3, 3}}},
  ["nn.conv_field"] = {
  {function() return nn.conv_field{channels = 2, filters = 3}(0, tide.zeros{0, 2, 5, 5}) end, {0, 2, 5, 5}}},
  ["nn.odeblock"] = {
  {function() return (nn.odeblock(nn.mlp{sizes = {2, 4, 2}, time = true}, {})(tide.zeros{0, 2})) end,
    {0, 2}}},
  ["nn.odenet"] = {{function() return (nn.odenet{dim = 2, hidden = 4, solver = euler}(tide.zeros{0, 2})) end,
    {0, 1}}},
  ["nn.conv_odenet"] = {{function()
    return (nn.conv_odenet{image = {1, 6, 6}, filters = 4, classes = 3, solver = euler}(
      tide.zeros{0, 1, 6, 6}))
  end,
    {0, 3}}},
  ["nn.resnet"] = {
  {function() return nn.resnet{dim = 2, hidden = 4, layers = 2, out = 1}(tide.zeros{0, 2}) end, {0, 1}}},
  ["nn.cnf"] = {{function() return nn.cnf{dim = 2, hidden = 4, solver = euler}:log_prob(tide.zeros{0,
    2}) end, {0}},
    {function() return (nn.cnf{dim = 2, hidden = 4, solver = euler}:forward(tide.zeros{0, 2})) end, {0, 2}}},
  ["nn.penalised"] = {{function() return (select(2, nn.penalised(nn.linear(3, 2), m))) end, {0, 2}}},
  -- the rest of the library
  creation = {{function() return tide.arange(1, 0) end, {0}}, {function() return tide.eye(0) end, {0, 0}},
    {function() return tide.randn{0, 2} end, {0, 2}},
    {function() return tide.randperm(0) end, {0}}, {function() return tide.tensor{} end, {0}},
    {function() return tide.tensor{{}, {}} end, {2, 0}},
    {function() return tide.full({0}, 3) end, {0}}, {function() return tide.linspace(0, 1, 0) end, {0}}},
  broadcasting = {{function() return m + tide.ones{3} end, {0, 3}},
    {function() return m * tide.ones{1, 1} end, {0, 3}},
    {function() return m + tide.ones{2, 3} end, "axis -2 has sizes 0 and 2"}},
  elements = {{function() return m[1] end, "index 1 out of range [1, 0]"}, {function() return #m end, 0},
    {function() return n[1] end, {0}},
    {function() local x = tide.zeros{2, 0} x[1], x[2] = 3, e return x end, {2, 0}},
    {function() return tostring(m) end, "tensor float32 {0, 3} (empty)", "as it is"}},
  gradients = {{function() return tide.grad(function(p) return p:sum() end)(m) end, {0, 3}},
    {function() return tide.grad(function(p) return tide.cross_entropy(p, h) end)(m) end, {0, 3}},
    {function() return tide.grad(function(w) return m:matmul(w):sum() end)(tide.ones{3, 2}) end, {3, 2}, 0},
    {function() return tide.grad(function(w) return tide.conv2d(tide.zeros{0, 2, 5, 5}, w):sum() end)(
      tide.ones{3, 2, 3, 3}) end, {3, 2, 3, 3}, 0},
    {function() return tide.grad(
      function(w) return tide.conv1d(tide.zeros{0, 2, 5}, w, nil, {stride = 2}):sum() end)(
      tide.ones{3, 2, 3}) end, {3, 2, 3}, 0},
    {function() return tide.grad(function(p) return tide.cat{p, tide.ones{2, 3}}:sum() end)(m) end, {0, 3}},
    {function() return tide.grad(function(p) return p:max(2):sum() end)(m) end, {0, 3}},
    {function() return tide.grad(function(p) return p:softmax(1):sum() end)(m) end, {0, 3}},
    {function() return tide.grad(
      function(p) return tide.grad(function(q) return (q * q):sum() end)(p):sum() end)(m) end, {0, 3}},
    {function() return tide.jvp(function(x) return x * 2 end, m, m) end, {0, 3}},
    {function() return select(2, tide.vjp(tide.exp, m))(m) end, {0, 3}},
    {function() return tide.compile(function(x) return x * 2 + 1 end)(m) end, {0, 3}},
    {function() return tide.compile(function(x) return (x:matmul(tide.ones{3, 2}) + tide.ones{2}):tanh() end)(
      m) end, {0, 2}},
    {function() return tide.compile(function(x) return (x:matmul(tide.ones{3, 0}) + e):tanh() end)(
      tide.ones{2, 3}) end, {2, 0}}},
  files = {},
}
for name, row in pairs(require("layer_rows").empty) do rows[name] = row end
for name in ([[abs cos exp log neg reciprocal relu sigmoid sign sin softplus sqrt square tanh clone
  stop_gradient floor ceil round trunc frac rsqrt tan asin acos atan sinh cosh asinh acosh atanh exp2 expm1
  log1p log2 log10 erf erfc erfinv lgamma digamma gelu gelu_tanh silu log_sigmoid selu celu mish softsign
  hardtanh relu6 hardsigmoid hardswish logit nan_to_num isnan isinf isfinite
  logical_not]]):gmatch("[%w_]+") do
  rows[name] = {{function() return e[name](e) end, {0}}, {function() return m[name](m) end, {0, 3}},
    {function() return n:transpose()[name](n) end, {2, 0}}}
end
for name in ([[add sub mul div maximum minimum relu_grad sigmoid_grad tanh_grad eq ne lt le gt ge remainder
  fmod floor_divide atan2 hypot logaddexp xlogy leaky_relu elu gelu_grad silu_grad logical_and logical_or
  logical_xor isclose]]):gmatch("[%w_]+") do
  rows[name] = {{function() return m[name](m, m) end, {0, 3}}, {function() return n[name](n, 2) end, {2, 0}},
    {function() return m[name](m, tide.ones{1, 3}) end, {0, 3}},
    {function() return m[name](m, tide.ones{2, 3}) end, "cannot be broadcast"}}
end
for _, format in ipairs{"npy", "npz", "safetensors"} do
  for _, x in ipairs{e, m, n, h} do
    table.insert(rows.files, {function()
      return check.in_folder(function(folder)
        local path = folder .. "/x." .. format
        tide.save(path, format == "npy" and x or {x = x})
        local back = tide.load(path)
        back = format == "npy" and back or back.x
        assert(back:dtype() == x:dtype())
        return back
      end)
    end, x:shape()})
  end
end

for name, list in pairs(require "indexing_cases".empty) do rows[name] = list end

local function verify(row)
  local fn, want, value = table.unpack(row, 1, 3)
  if type(want) == "string" and value == nil then return check.fails(want, fn) end
  local got = fn()
  if type(want) ~= "table" then return assert(got == want, ("got %s, expected %s"):format(got, want)) end
  local shape = table.concat(got:shape(), ", ")
  assert(shape == table.concat(want, ", "), ("the shape is {%s}, expected {%s}"):format(shape,
    table.concat(want, ", ")))
  if not value then return end
  local numbers = got:reshape{-1}:totable()
  assert(#numbers > 0)
  for _, v in ipairs(numbers) do
    assert(v == value or v ~= v and value ~= value, ("got %s, expected %s"):format(v, value))
  end
end

for name, list in pairs(rows) do
  tests["empty: " .. name] = function() for i, row in ipairs(list) do
    local ok, message = xpcall(verify, debug.traceback, row)
    assert(ok, ("row %d: %s"):format(i, message))
  end end
end

-- Every method with its number of axes, each gradient of a solve, and what needs no gradient.
tests["empty: odeint"] = function()
  local y0 = tide.zeros{0, 2}
  for _, method in ipairs(check.methods()) do
    if not method.family or method.family == "Runge-Kutta" then
      local ys = tide.odeint(function(_, y) return -y end, y0, {0, 0.5, 1}, {method = method.name, steps = 4})
      assert(table.concat(ys:shape(), ",") == "3,0,2", method.name)
    end
  end
  for _, gradient in ipairs{"direct", "adjoint", "checkpoint", "interpolated"} do
    local g = tide.grad(
      function(w) return (tide.odeint(function(_, y) return y:matmul(w) end, y0, {0, 1},
        {gradient = gradient})):sum() end)(tide.ones{2, 2})
    assert(g:abs():sum():item() == 0, gradient)
  end
  assert(table.concat((tide.odeint(function(_, y) return -y end, y0, {0, 1}, {eager = true})):shape(),
    ",") == "2,0,2")
  assert(table.concat((tide.odeint(function() return {} end, {}, {0, 1}, {plain = true})):shape(),
    ",") == "2,0")
end

tests["empty: optimisers and training"] = function()
  for _, name in ipairs(tide.optim._kinds) do
    local p = {w = tide.zeros{0, 2}, b = tide.ones{1}}
    tide.optim[name](p, {lr = 0.5}):step{w = tide.zeros{0, 2}, b = tide.ones{1}}
    assert(p.b:item() < 1, name)
  end
  local data, model = {x = tide.zeros{0, 2}, y = tide.zeros{0, 1}}, nn.linear(2, 1)
  check.fails("the data set is empty", tide.train,
    {model = model, data = data, optimizer = tide.optim.sgd(model,
    {lr = 1}), loss = "mse", batch = 4, epochs = 1})
  check.fails("the data set is empty", tide.evaluate, model, data, {loss = "mse"})
end

tests["every op, layer and loss has a row"] = function()
  local lacking, skip = {}, {close = true, _at = true, _put = true, ["nn.count"] = true,
    ["nn.load"] = true,
    ["nn.parameters"] = true, ["nn.with_seed"] = true}
  for name in pairs(core.methods) do
    if not rows[name] and not skip[name] then lacking[#lacking + 1] = name end
  end
  for name, f in pairs(nn) do
    if type(f) == "function" and not rows["nn." .. name] and not skip["nn." .. name]
      and name:sub(1, 1) ~= "_" then
      lacking[#lacking + 1] = "nn." .. name
    end
  end
  for _, name in ipairs{"mse", "smooth_l1", "binary_cross_entropy", "cross_entropy", "conv1d",
    "conv2d", "where", "cat", "stack", "one_hot"} do
    assert(rows[name])
  end
  table.sort(lacking)
  assert(#lacking == 0, "no row for " .. table.concat(lacking, ", "))
end

return tests
