--- Fields that vary with depth, see the data, are of second order; spectral norm.

local tide = require "tide"
local check = require "check"
local nn = tide.nn
local tests = {}

local F64 = {dtype = "float64"}
local fails = check.fails
local x = tide.randn({4, 2}, {seed = 1, dtype = "float64"})
local rk4 = {method = "rk4", steps = 8}
local function near(a, b, tolerance)
  assert((a - b):abs():max():item() < (tolerance or 1e-12), tostring(a))
end

-- A layer of one number, whose weights are 1, 2, 3, at s = 1/4.
local at_a_quarter = {polynomial = 1 + 2 * 0.25 + 3 * 0.0625, chebyshev = 1 + 2 * -0.5 + 3 * -0.5,
  fourier = 1 + 2 * math.cos(math.pi / 2) + 3 * math.sin(math.pi / 2),
  gaussian = math.exp(-0.125) + 2 * math.exp(-0.125) + 3 * math.exp(-1.125)}
for basis, want in pairs(at_a_quarter) do
  tests["galerkin: " .. basis] = function()
    local f = nn.galerkin{sizes = {1, 1}, basis = basis, span = {2, 4}, bias = false, dtype = "float64"}
    f.layers[1].weight:copy_(tide.tensor({{{1}}, {{2}}, {{3}}}, F64))
    near(f(2.5, tide.ones({1, 1}, F64)), want)
    for terms = 1, 5 do
      local g = nn.galerkin{sizes = {2, 3, 2}, basis = basis, terms = terms, dtype = "float64", seed = 1}
      local block = nn.odeblock(g, rk4)
      assert(tide.gradcheck(function(p) return (p.block(p.x)) end, {block = block, x = x}))
      assert(nn.count(g) == terms * (9 + 8))
    end
  end
end

tests["data control: each sample has a flow of its own"] = function()
  -- dy/dt = x: y(1) = 2 x
  local block = nn.odeblock(nn.data_controlled(function(_, z) return z:slice(2, 3, 4) end), rk4)
  near((block(x)), x * 2)
  near(block:trajectory(x, {0, 0.5, 1})[2], x * 1.5)
  local net = nn.mlp{sizes = {4, 5, 2}, act = "tanh", dtype = "float64", seed = 1}
  local trained = nn.odeblock(nn.data_controlled(net), rk4)
  assert(tide.gradcheck(function(p) return (p.m(p.x)) end, {m = trained, x = x}))
  assert(nn.count(trained) == nn.count(net))
  local compiled = tide.compile(function(m, v) return (m(v)) end)
  near(compiled(trained, x), (trained(x)))
  near(compiled(trained, x * 2), (trained(x * 2)))
  fails("this field sees the state that a solve starts from", nn.data_controlled(net), 0, x)
end

tests["second order: an oscillator, a learned velocity"] = function()
  local f = nn.second_order(function(_, z) return -z:slice(2, 1, 1) end)
  local y = nn.odeblock(f, {method = "rk4", steps = 200, t = {0, 1}})(tide.tensor({{1, 0}}, F64))
  near(y, tide.tensor({{math.cos(1), -math.sin(1)}}, F64), 1e-9)
  local third = nn.second_order(function(_, z) return z:slice(2, 1, 1) * 0 + 6 end, {order = 3})
  near((nn.odeblock(third, rk4)(tide.zeros({1, 3}, F64))), tide.tensor({{1, 3, 6}}, F64)) -- t^3
  local model = nn.chain{nn.augment(nn.linear(2, 2, {dtype = "float64", seed = 1})),
    nn.odeblock(nn.second_order(nn.mlp{sizes = {4, 5, 2}, act = "tanh", dtype = "float64", seed = 2}), rk4)}
  assert(tide.gradcheck(function(p) return (p.m(p.x)) end, {m = model, x = x}))
  fails("axis 2 of the state holds 2 parts of one size", f, 0, tide.ones{1, 3})
  local wrong = nn.second_order(function(_, z) return z end)
  fails("the field must give the highest derivative, shape {1, 1}", wrong, 0, tide.ones{1, 2})
end

tests["spectral norm: the largest singular value is 1, buffers move in training alone"] = function()
  tide.seed(1)
  local layers = {nn.linear(5, 3, F64), nn.conv2d(2, 3, 3, F64), nn.conv_transpose1d(2, 3, 3, F64)}
  local inputs = {tide.ones({2, 5}, F64), tide.ones({1, 2, 4, 4}, F64), tide.ones({1, 2, 4}, F64)}
  for i, layer in ipairs(layers) do
    local w, v = layer.weight, inputs[i]
    local rows = i == 3 and w:transpose(1, 2):reshape{3, -1} or w:reshape{3, -1}
    local sigma = tide.linalg.svdvals(rows)[1]
    local bare = layer(v) - layer(v * 0)
    local norm = nn.spectral_norm(layer)
    for _ = 1, 60 do norm(v) end
    near(norm(v) - norm(v * 0), bare / sigma, 1e-9)
    near(nn.spectral_norm(layer, {exact = true})(v), norm(v), 1e-9)
    assert(nn.count(norm) == nn.count(layer))
    local u = norm.u:clone()
    layer.weight:copy_(tide.randn(w:shape(), F64))
    norm(v, {training = false})
    near(norm.u, u)
    tide.compile(function(m, q) return m(q) end)(norm, v)
    assert((norm.u - u):abs():max():item() > 1e-3)
  end
  local norm = nn.spectral_norm(nn.linear(2, 2, F64))
  assert(tide.gradcheck(function(p) return p.m(p.x, {training = false}) end, {m = norm, x = x}))
  assert(tide.gradcheck(function(p) return p.m(p.x) end,
    {m = nn.spectral_norm(nn.linear(2, 2, F64), {exact = true}), x = x}))
  local function block(o)
    local inner = nn.spectral_norm(nn.linear(2, 2, F64), o)
    return nn.odeblock(function(_, y) return inner(y) end, rk4)
  end
  assert(block{exact = true}(x):shape()[1] == 4)
  fails("nn.spectral_norm with exact = true", block(), x)
  fails("nn.spectral_norm: the layer must be one with a weight", nn.spectral_norm, nn.flatten())
end

return tests
