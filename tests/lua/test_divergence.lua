--- tide.ode.divergence: exact and Hutchinson's, alone, within solves, differentiated.

local tide = require "tide"
local check = require "check"

local tests = {}
local fails, near = check.fails, check.near
local f64 = {dtype = "float64"}
local divergence = tide.ode.divergence

local function off(a, b) return (a - b):abs():max():item() end
local function shape(x) return table.concat(x:shape(), " ") end
local function normal(extents, seed) return tide.randn(extents, {dtype = "float64", seed = seed}) end

local net = tide.nn.mlp{sizes = {3, 7, 6, 3}, act = "tanh", time = true, dtype = "float64", seed = 1}

-- By central differences, a sample and a number at a time.
local function differences(f, t, y)
  local n, d, out, h = y:shape()[1], y:numel() // y:shape()[1], {}, 1e-6
  for i = 1, n do
    out[i] = 0
    for k = 1, d do
      local function at(step)
        local z = y:clone():reshape{n, d}
        z[i][k] = z[i][k] + step
        return f(t, z:reshape(y:shape())):reshape{n, d}[i][k]
      end
      out[i] = out[i] + (at(h) - at(-h)) / (2 * h)
    end
  end
  return tide.tensor(out, f64)
end

tests["exact: against differences, for matrices, images, one sample, float32"] = function()
  local y = normal({4, 3}, 2)
  local value = divergence(net)(0.7, y)
  assert(shape(value) == "4" and value:dtype() == "float64")
  assert(off(value, differences(net, 0.7, y)) < 1e-8)
  assert(off(divergence(net, {kind = "exact"})(tide.tensor(0.7, f64), y), value) == 0)
  local field = tide.nn.conv_field{channels = 2, filters = 3, act = "tanh", dtype = "float64", seed = 3}
  local image = normal({2, 2, 3, 4}, 4)
  assert(off(divergence(field)(0, image), differences(field, 0, image)) < 1e-8)
  local function lorenz(_, s)
    return tide.stack{10 * (s[2] - s[1]), s[1] * (28 - s[3]) - s[2], s[1] * s[2] - 8 / 3 * s[3]}
  end
  local one = divergence(lorenz)(0, tide.tensor{1, 2, 3})
  assert(#one:shape() == 0 and one:dtype() == "float32")
  near(one:item(), -10 - 1 - 8 / 3, 1e-5)
  near(divergence(function(t, s) return s * s * t end)(2, tide.tensor(3, f64)):item(), 12)
end

tests["Hutchinson: with given noise e^T J e; unbiased within four standard errors"] = function()
  local y, e = normal({5, 3}, 2), normal({5, 3}, 3)
  local _, je = tide.jvp(function(z) return net(0.3, z) end, y, e)
  local value = divergence(net, {kind = "hutchinson", noise = e})(0.3, y)
  assert(off(value, (je * e):sum(2)) < 1e-14)
  local exact = divergence(net)(0.3, y)
  tide.seed(11)
  for _, law in ipairs{"rademacher", "gaussian"} do
    local own, n = divergence(net, {kind = "hutchinson", noise = law}), 1000
    local sum, squares = tide.zeros({5}, f64), tide.zeros({5}, f64)
    local probes = tide.compile(function(z) return own(0.3, z) end)
    for i = 1, n do
      local v = i <= 20 and own(0.3, y) or probes(y)
      sum, squares = sum + v, squares + v * v
    end
    local mean = sum / n
    local error = ((squares / n - mean * mean) / n):sqrt()
    assert(((mean - exact):abs() / error):max():item() < 4, law)
    assert(error:min():item() > 0)
  end
  local diagonal = divergence(function(_, z) return z * z end, {kind = "hutchinson"})(0, y)
  assert(off(diagonal, 2 * y:sum(2)) < 1e-14) -- a Rademacher e has e_i^2 = 1
end

tests["the noise is drawn once in a solve, recorded or not, and anew for the next"] = function()
  local y = normal({4, 3}, 2)
  for _, eager in ipairs{false, true} do
    local seen = {}
    local own = divergence(net, {kind = "hutchinson"})
    local function run()
      local _, _, q = tide.odeint(function(_, z) return z * 0 end, y, {0, 1}, {method = "rk4", steps = 3,
        eager = eager, quadrature = function(_, z)
          local value = own(0.5, z)
          if eager then seen[#seen + 1] = value end
          return value
        end})
      return q[2]
    end
    local first, second = run(), run()
    for i = 3, #seen // 2 do assert(off(seen[i], seen[2]) == 0) end
    assert(off(first, second) > 1e-3)
    assert(off(own(0.5, y), own(0.5, y)) > 1e-3)
    tide.seed(5)
    first = run()
    tide.seed(5)
    assert(off(first, run()) == 0)
  end
end

tests["a perceptron knows its own: the same numbers and derivatives as by products"] = function()
  local y = normal({4, 3}, 2)
  local cases = {{sizes = {3, 7, 3}}, {sizes = {3, 7, 6, 3}, act = "relu", time = true}, {sizes = {3, 5, 3},
    act = "softplus", time = true}, {sizes = {3, 7, 6, 3}, act = "sin", bias = false}, {sizes = {3, 3}},
    {sizes = {3, 4, 4, 4, 3}, act = "tanh"}}
  for i, case in ipairs(cases) do
    case.dtype, case.seed = "float64", i
    local f = tide.nn.mlp(case)
    local value = divergence(f)(0.3, y)
    assert(off(value, divergence(function(t, z) return f(t, z) end)(0.3, y)) < 1e-14)
    assert(off(value, differences(function(t, z) return f(t, z) end, 0.3, y)) < 1e-8)
    assert(tide.gradcheck(function(p) return divergence(p.f)(0.3, p.y):sin():sum() end, {f = f, y = y}))
  end
  local own = tide.nn.mlp{sizes = {3, 4, 3}, dtype = "float64", seed = 1}
  own.layers[1] = function(v) return v:sin():matmul(tide.ones({3, 4}, f64)) end
  assert(off(divergence(own)(0, y), differences(function(_, z) return own(z) end, 0, y)) < 1e-8)
  fails({"f returned float64 {4, 2}", "{4, 3}"}, divergence(tide.nn.mlp{sizes = {3, 4, 2},
    dtype = "float64"}), 0, y)
end

tests["exact: samples that depend on each other are refused, whatever lets them meet"] = function()
  local y = normal({4, 3}, 2)
  local meet = {
    sum = function(_, z) return z - z:mean(1, true) end,
    max = function(_, z) return z:softmax(1) end,
    matmul = function(_, z) return z:matmul(z:transpose(1, 2)):matmul(z) end,
    slice = function(_, z) return z:slice(1, 4, 1, -1) end,
    take = function(_, z) return z:take({2, 1, 4, 3}, 1) end,
    gather = function(_, z) return (z:sort(1)) end,
    cumsum = function(_, z) return z:cumsum(1) end,
    reshape = function(_, z) return z:reshape{3, 4}:softmax(2):reshape{4, 3} end,
    odeint = function(_, z) return tide.odeint(function(_, q) return -q end, z, {0, 1})[2] end,
  }
  for op, f in pairs(meet) do
    fails({"do not depend on each other", '"' .. op .. '"', '"hutchinson"', "independent = true"},
      divergence(f), 0, y)
    fails({'"' .. op .. '"'}, tide.odeint, f, y, {0, 1}, {quadrature = divergence(f)})
    assert(shape(divergence(f, {kind = "hutchinson"})(0, y)) == "4")
  end
  fails('"matmul"', divergence(function(_, z) return normal({4, 4}, 5):matmul(z) end), 0, y)
  assert(shape(divergence(meet.sum)(0, y:slice(1, 1, 1))) == "1") -- one sample is alone
  fails({"cnf:log_prob", '"hutchinson"'}, function()
    tide.nn.cnf{dim = 3, dtype = "float64", field = meet.sum}:log_prob(y)
  end)
  near(divergence(meet.odeint, {independent = true})(0, y)[1], 3 * math.exp(-1), 1e-3)
end

tests["exact: samples that stay apart, whatever form they take in between"] = function()
  local y, W, c = normal({4, 3}, 2), normal({3, 3}, 3), normal({4, 3}, 4)
  for i, f in ipairs{
    function(_, z) return W:matmul(z:transpose(1, 2)):transpose(1, 2) end,
    function(_, z) return tide.einsum("ij,nj->ni", W, z) end,
    function(_, z) return z:tanh() * c end,
    function(_, z) return tide.grad(function(q) return q:matmul(W):square():sum(2):sqrt():sum() end)(z) end,
    function(_, z) return z * (z * z:mean(1, true)):gt(0):to "float64" end,
    function(t, z) return tide.stack({z:select(2, 2), z:select(2, 1):sin(), z:select(2, 3) * t}, 2) end,
    function(_, z) return z:reshape{12}:sin():reshape{4, 3} end,
    function(_, z) return z:sin():take({2, 3, 3}, 2) + z end,
    function(_, z)
      return z:reshape{4, 1, 3}:matmul(W:reshape{1, 3, 3}:broadcast_to{4, 3, 3}):reshape{4, 3}
    end,
    function(_, z) return tide.where(z:gt(0), z * z, tide.cat({z:slice(2, 3, 3), z:slice(2, 1, 2)}, 2)) end,
  } do
    local error = off(divergence(f)(0.3, y), differences(f, 0.3, y))
    assert(error < 1e-8, i .. ": " .. error)
  end
end

-- On y' = y A(t) the determinant of the flow is exp of the integral of the trace.
tests["within a solve: Liouville's formula, by every method, recorded and eager"] = function()
  local A, y = normal({3, 3}, 5) * 0.3, normal({2, 3}, 6)
  local trace = A[1][1] + A[2][2] + A[3][3]
  local function field(t, z) return z:matmul(A) * t + tide.sin(t) end
  for _, m in ipairs(check.methods()) do
    local o = m.kind == "adaptive" and {rtol = 1e-6, atol = 1e-6} or {steps = 20}
    o.method, o.quadrature = m.name, divergence(field)
    local _, _, q = tide.odeint(field, y, {0, 2}, o)
    near(q[2][1], 2 * trace, 0.1)
    if m.name == "dopri5" then near(q[2][2], 2 * trace, 1e-6) end
  end
  local _, _, q = tide.odeint(field, y, {0, 2}, {eager = true, quadrature = divergence(field)})
  near(q[2][1], 2 * trace, 1e-6)
end

tests["derivatives: by y, parameters and t, twice, and through solves of every gradient"] = function()
  local p = {net = net, y = normal({2, 3}, 2)}
  local e = normal({2, 3}, 8)
  for _, o in ipairs{{}, {kind = "hutchinson", noise = e}} do
    local function value(q) return divergence(q.net, o)(0.4, q.y):square():sum() end
    assert(tide.gradcheck(value, p))
    assert(tide.gradcheck(function(y)
      return tide.grad(function(z) return value{net = net, y = z} end)(y):sin():sum()
    end, p.y))
    local function of_time(t) return divergence(net, o)(t, p.y):sum() end
    assert(tide.gradcheck(of_time, tide.tensor(0.4, f64)))
    for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
      local ok, worst = tide.gradcheck(function(q)
        local ys, _, integral = tide.odeint(q.net, q.y, {0, 1}, {rtol = 1e-10, atol = 1e-10, gradient = kind,
          quadrature = divergence(q.net, o)})
        return integral[2]:square():sum() + ys[2]:sin():sum()
      end, p)
      assert(ok or worst < 1e-5, kind .. " " .. tostring(worst))
    end
  end
end

tests["fields of t alone, constant ones, no samples"] = function()
  local y = normal({2, 3}, 1)
  for _, kind in ipairs{"exact", "hutchinson"} do
    local o = {kind = kind}
    local function of_time(t, z) return tide.sin(t):to("float64"):broadcast_to(z:shape()) end
    assert(off(divergence(of_time, o)(tide.tensor(1, f64), y), tide.zeros({2}, f64)) == 0)
    assert(off(divergence(function() return y end, o)(0, y), tide.zeros({2}, f64)) == 0)
    assert(shape(divergence(net, o)(0, tide.zeros({0, 3}, f64))) == "0")
    assert(shape(divergence(function(_, z) return z end, o)(0, tide.zeros({2, 0}))) == "2")
  end
end

tests["what is no divergence"] = function()
  local y = tide.ones{2, 3}
  local function same(_, z) return z end
  fails({"ode.divergence", "f must be a function f(t, y)", "3"}, divergence, 3)
  fails({'one of "exact", "hutchinson"', '"Exact"'}, divergence, same, {kind = "Exact"})
  fails('unknown option "kid" (did you mean "kind"?)', divergence, same, {kid = "exact"})
  fails({"noise", '"hutchinson"'}, divergence, same, {noise = y})
  fails({'"rademacher"', '"gaussian"', '"normal"'}, divergence, same, {kind = "hutchinson", noise = "normal"})
  local function with(noise) return divergence(same, {kind = "hutchinson", noise = noise}) end
  fails({"noise must be like y", "{2, 3}", "{3}"}, with(tide.ones{3}), 0, y)
  fails({"noise must be like y", "float32", "float64"}, with(y:to "float64"), 0, y)
  fails({"y must be a tensor", "a table"}, divergence(same), 0, {y, y})
  fails({"float32 or float64", "int64"}, divergence(same), 0, tide.ones({2}, {dtype = "int64"}))
  fails({"f must return a tensor", "nil"}, divergence(function() end), 0, y)
  fails({"f returned float32 {2}", "{2, 3}"}, divergence(function(_, z) return z:sum(2) end), 0, y)
  fails({"1025", 'kind = "hutchinson"'}, divergence(same), 0, tide.ones{1, 1025})
end

return tests
