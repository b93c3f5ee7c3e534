--- nn.cnf: densities of flows that are known, their integrals, samples, derivatives; augmented flows.

local tide = require "tide"
local check = require "check"

local tests = {}
local fails, near = check.fails, check.near
local f64 = {dtype = "float64"}
local nn = tide.nn

local function off(a, b) return (a - b):abs():max():item() end
local function shape(x) return table.concat(x:shape(), " ") end
local function normal(extents, seed) return tide.randn(extents, {dtype = "float64", seed = seed}) end
local function small(opts)
  opts.dim, opts.hidden, opts.seed, opts.dtype = opts.dim or 2, 8, opts.seed or 1, "float64"
  opts.solver = opts.solver or {rtol = 1e-9, atol = 1e-9}
  return nn.cnf(opts)
end

-- z' = z A + b t carries a normal distribution to one of mean m and covariance E^T E, E = exp(A): here A is
-- triangular, E a formula.
local a, b = 0.5, 0.8
local function triangular(t, z)
  return z:matmul(tide.tensor({{a, b}, {0, a}}, f64)) + tide.stack{t * 0 + 0.3, t * 0}:to "float64"
end
local function exact_log(x)
  local e, m1 = math.exp(a), 0.3 * (math.exp(a) - 1) / a
  -- z2 follows z1: integral of exp(a (1 - s)) b z1(s), z1(s) = exp(a s) z1 + 0.3 (exp(a s) - 1) / a
  local m2 = b * 0.3 / a * (e - (e - 1) / a)
  local u = x:slice(2, 1, 1) - m1
  local z1 = u / e
  local z2 = (x:slice(2, 2, 2) - m2 - z1 * (b * e)) / e
  return ((z1:square() + z2:square()) * -0.5):reshape{-1} - math.log(2 * math.pi) - 2 * a
end

tests["log p of a linear flow, within 20 tolerances at 20 points"] = function()
  local x = normal({20, 2}, 3) * 2
  local exact = exact_log(x)
  for _, tol in ipairs{1e-4, 1e-6, 1e-9} do
    for _, method in ipairs{"dopri5", "tsit5", "kvaerno5"} do
      local model = nn.cnf{dim = 2, field = triangular, solver = {method = method, rtol = tol, atol = tol}}
      local log, stats = model:log_prob(x)
      assert(shape(log) == "20" and stats.nfe > 0)
      local worst = ((log - exact):abs() / (exact:abs() + 1)):max():item()
      assert(worst <= 20 * tol, ("%s, %g: %g"):format(method, tol, worst))
      assert(off(model(x), log) == 0)
    end
  end
end

tests["the density of a net integrates to 1"] = function()
  local model, n, box = small{seed = 4}, 161, 8
  for _, layer in ipairs(model.block.field.layers) do layer.weight:copy_(layer.weight * 2) end
  local g = tide.linspace(-box, box, n, f64)
  local function along(s) return g:reshape(s):broadcast_to{n, n}:reshape{-1} end
  local log = model:log_prob(tide.stack({along{1, n}, along{n, 1}}, 2))
  near(log:exp():sum():item() * (2 * box / (n - 1)) ^ 2, 1, 1e-6)
end

tests["forward and inverse undo each other; log_prob follows from them; densities in between"] = function()
  local model = small{}
  local x = normal({6, 2}, 5)
  local z, log = model:inverse(x)
  local back, log_back = model:forward(z)
  assert(off(back, x) < 1e-7 and off(log, -log_back) < 1e-7 and shape(log) == "6")
  local base = z:square():sum(2) * -0.5 - math.log(2 * math.pi)
  assert(off(model:log_prob(x), base + log) == 0)
  -- the determinant, column by column
  local _, first = tide.jvp(function(v) return (model:inverse(v)) end, x, tide.tensor({{1, 0}}, f64)
    :broadcast_to{6, 2}:clone())
  local _, second = tide.jvp(function(v) return (model:inverse(v)) end, x, tide.tensor({{0, 1}}, f64)
    :broadcast_to{6, 2}:clone())
  local det = first:slice(2, 1, 1) * second:slice(2, 2, 2) - first:slice(2, 2, 2) * second:slice(2, 1, 1)
  assert(off(det:reshape{-1}:abs():log(), log) < 1e-6)
  -- at an early time the density is near the normal one
  local early = model:log_prob(x, {solver = {t = {0, 1e-6}}})
  assert(off(early, x:square():sum(2) * -0.5 - math.log(2 * math.pi)) < 1e-4)
  local path = model:trajectory(5, {0, 0.5, 1}, {seed = 3})
  assert(shape(path) == "3 5 2" and off(path[3], (model:sample(5, {seed = 3}))) < 1e-7)
  assert(off(path[1], normal({5, 2}, 3)) == 0)
end

tests["samples have the moments of the density"] = function()
  local model = nn.cnf{dim = 2, field = triangular, dtype = "float64"}
  local x = model:sample(20000, {seed = 1}):to "float64"
  local e = math.exp(a)
  local mean, var = x:mean(1), (x - x:mean(1)):square():mean(1)
  near(mean[1], 0.3 * (e - 1) / a, 0.05)
  near(var[1] / e ^ 2, 1, 0.05)
  near(var[2] / (e ^ 2 * (1 + b ^ 2)), 1, 0.05)
  local net = small{}
  tide.seed(3)
  local first = net:sample(3)
  assert(first:dtype() == "float64" and off(first, (net:sample(3))) > 1e-3)
  tide.seed(3)
  assert(off(first, (net:sample(3))) == 0 and shape((net:sample(0))) == "0 2")
end

tests["gradients of the likelihood, exact and with noise, by gradient and method"] = function()
  local x, e = normal({3, 2}, 7), normal({3, 2}, 8)
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    local model = small{hidden = 4, solver = {rtol = 1e-10, atol = 1e-10, gradient = kind}}
    local ok, worst = tide.gradcheck(function(m) return m:log_prob(x):mean() end, model)
    assert(ok or worst < 1e-5, kind .. " " .. tostring(worst))
    ok, worst = tide.gradcheck(function(m)
      return m:log_prob(x, {divergence = "hutchinson", noise = e}):mean()
    end, model)
    assert(ok or worst < 1e-5, kind .. " " .. tostring(worst))
  end
  local model = small{}
  assert(tide.gradcheck(function(v) return model:log_prob(v):sum() end, x))
end

tests["Hutchinson's estimate has the right mean"] = function()
  local model = small{divergence = "hutchinson", solver = {rtol = 1e-6, atol = 1e-6}}
  local x = normal({4, 2}, 2)
  local exact, sum, squares, n = model:log_prob(x, {divergence = "exact"}), 0, 0, 400
  local run = tide.compile(function(v) return (model:log_prob(v)) end)
  tide.seed(4)
  for _ = 1, n do
    local v = run(x)
    sum, squares = v + sum, v * v + squares
  end
  local mean = sum / n
  local error = ((squares / n - mean * mean) / n):sqrt()
  assert(((mean - exact):abs() / (error + 1e-12)):max():item() < 4)
end

tests["augmented: a lower bound that rises with the number of draws"] = function()
  local model = small{augment = 2, solver = {rtol = 1e-5, atol = 1e-5}}
  local x = normal({4, 2}, 2)
  tide.seed(1)
  local function mean(k, times)
    local total = 0
    for _ = 1, times do total = model:log_prob(x, {samples = k}) + total end
    return total / times
  end
  local one, many, most = mean(1, 300), mean(20, 15), mean(3000, 1)
  assert(shape(one) == "4")
  assert((one - most):mean():item() < 0 and (many - one):mean():item() > 0)
  assert((many - most):abs():mean():item() < (one - most):abs():mean():item())
  -- a field that leaves e alone: every draw gives log p(x)
  local apart = nn.cnf{dim = 1, augment = 1, solver = {rtol = 1e-9, atol = 1e-9},
    field = function(_, z) return tide.cat({z:slice(2, 1, 1) * 0.3, z:slice(2, 2, 2) * 0}, 2) end}
  local p = tide.tensor({{0.5}, {-1}}, f64)
  local scaled = p * math.exp(-0.3)
  local log = (scaled:square() * -0.5 - 0.5 * math.log(2 * math.pi) - 0.3):reshape{-1}
  assert(off(apart:log_prob(p), log) < 1e-7 and off(apart:log_prob(p, {samples = 7}), log) < 1e-7)
  assert(shape((model:sample(3))) == "3 2" and shape((model:trajectory(3, {0, 1}))) == "2 3 4")
  assert(shape((model:inverse(normal({3, 4}, 1)))) == "3 4")
  assert(off(model:log_prob(x, {seed = 5}), model:log_prob(x, {seed = 5})) == 0)
end

tests["trained: tide.train with loss nll; saved and loaded"] = function()
  local data = tide.data.moons{n = 256}
  local model = nn.cnf{dim = 2, hidden = 16, seed = 1, solver = {rtol = 1e-3, atol = 1e-3}}
  local before = tide.evaluate(model, data, {loss = "nll"})
  local history = tide.train{model = model, data = data, loss = "nll", epochs = 12, quiet = true,
    optimizer = tide.optim.adam(model, {lr = 1e-2})}
  local last = history[#history]
  assert(last.loss < before.loss - 0.2 and before.accuracy == nil and last.accuracy == nil)
  check.in_folder(function(folder)
    tide.save(folder .. "/flow.npz", model)
    local other = nn.cnf{dim = 2, hidden = 16, seed = 2, solver = {rtol = 1e-3, atol = 1e-3}}
    nn.load(other, tide.load(folder .. "/flow.npz"))
    assert(off(other:log_prob(data.x), model:log_prob(data.x)) == 0)
  end)
end

tests["what is no flow"] = function()
  fails("option dim is missing", nn.cnf, {})
  fails('unknown option "hiden" (did you mean "hidden"?)', nn.cnf, {dim = 2, hiden = 3})
  fails("hidden[2] must be an integer >= 1, got 0", nn.cnf, {dim = 2, hidden = {3, 0}})
  fails({"field must be a function f(t, z)", "3"}, nn.cnf, {dim = 2, field = 3})
  fails("nn.cnf: unknown option \"rtl\"", nn.cnf, {dim = 2, solver = {rtl = 1}})
  local model = nn.cnf{dim = 2, hidden = 3}
  fails({"x must have shape {N, 2}", "{4, 3}"}, model.log_prob, model, tide.ones{4, 3})
  fails({"cnf:inverse", "{N, 2}", "{2}"}, model.inverse, model, tide.ones{2})
  fails({"cnf:forward", "{N, 2}", "a table"}, model.forward, model, {1, 2})
  fails({"cnf:log_prob", "samples", "augment = 0"}, model.log_prob, model, tide.ones{4, 2}, {samples = 3})
  fails('unknown option "samples"', model.inverse, model, tide.ones{4, 2}, {samples = 3})
  fails({"cnf:sample", "n must be an integer >= 0", "-1"}, model.sample, model, -1)
  fails("exact", model.log_prob, model, tide.ones{4, 2}, {divergence = "exact", noise = tide.ones{4, 2}})
  fails("call it with a colon", model.sample, 3)
  fails("belongs to a part of the model; write model.block.solver", function() model.solver = {} end)
end

tests["samples with steps of their own: each as if alone, every divergence, derivatives too"] = function()
  local net = nn.mlp{sizes = {2, 8, 2}, act = "tanh", time = true, dtype = "float64", seed = 1}
  local x, noise = normal({5, 2}, 3) * 2, normal({5, 2}, 4)
  for _, o in ipairs{{}, {field = function(t, z) return net(t, z) end}, {divergence = "hutchinson"}} do
    local hutchinson = o.divergence ~= nil
    o.solver = {rtol = 1e-5, atol = 1e-5}
    local flow = small(o)
    local function value(i, per_sample)
      local function part(v) return i and v:slice(1, i, i) or v end
      return function(p)
        return flow:log_prob(part(p), {noise = hutchinson and part(noise) or nil,
          solver = per_sample and {per_sample = true} or nil}):sum()
      end
    end
    local g = tide.grad(value(nil, true))(x)
    for i = 1, 5 do
      near(flow:log_prob(x, {noise = hutchinson and noise or nil, solver = {per_sample = true}})[i],
        value(i)(x):item(), 1e-13)
      assert(off(g[i], tide.grad(value(i))(x)[i]) < 1e-12)
    end
    assert(off(tide.grad(value())(x), g) > 1e-9) -- other steps
  end
end

return tests
