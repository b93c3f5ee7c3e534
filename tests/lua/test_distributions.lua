-- tide.distributions: densities that integrate to 1, entropies and divergences that are the integrals they
-- stand for, moments of samples, gradients, recordings, what is refused.
local check = require "check"
local tide = require "tide"
local D = tide.distributions

local F64, I64 = {dtype = "float64"}, {dtype = "int64"}
local function f64(v) return tide.tensor(v, F64) end
local function largest(x) return x:abs():max():item() end
local function near(a, b, limit)
  local want, got = table.concat(b:shape(), ","), table.concat(a:shape(), ",")
  assert(want == got, ("shape {%s}, expected {%s}"):format(got, want))
  assert(largest(a - b) <= (limit or 1e-12), ("off by %g"):format(largest(a - b)))
end

local A = f64{{2, 0.3}, {0.3, 1}}
local B = f64{{{2, 0.3}, {0.3, 1}}, {{1, -0.4}, {-0.4, 0.5}}, {{3, 0}, {0, 0.2}}}
local loc = f64{0.5, -1}

-- Laws of numbers in a batch of two, with a divergence from `other`.
local function numbers()
  return {
    normal = {D.normal(f64{0, 0.7}, f64{1, 0.5}), D.normal(f64{0.2, 1}, f64{0.8, 0.6})},
    uniform = {D.uniform(f64{-1, 0}, f64{1, 0.5}), D.uniform(f64{-2, 0}, f64{1.5, 1})},
    mixture = {D.mixture(f64{0.3, 0.7}, D.normal(f64{{-1, 1}, {0, 2}}, f64{{0.5, 1}, {0.3, 0.6}}))},
  }
end

-- Laws of classes, with what they can give.
local function counts()
  return {
    bernoulli = {D.bernoulli{probs = f64{0.2, 0.9}}, D.bernoulli{logits = f64{0.3, -1}}, f64{0, 1}},
    categorical = {D.categorical{logits = f64{{0, 1, -1}, {2, 0, 0.5}}},
      D.categorical{probs = f64{{1, 2, 3}, {0.2, 0.5, 0.3}}}, tide.tensor({1, 2, 3}, I64)},
  }
end

-- Laws of vectors of two numbers.
local function vectors()
  return {
    D.diagonal_normal(loc, f64{1, 0.5}), D.multivariate_normal(loc, {covariance = A}),
    D.multivariate_normal(f64{{0, 0}, {1, 1}, {-1, 0}}, {covariance = B}),
    D.mixture(f64{0.4, 0.6}, D.diagonal_normal(f64{{0, 1}, {-1, 0}}, f64{{1, 0.5}, {0.7, 0.7}})),
    D.independent(D.uniform(f64{0, -1}, f64{1, 1})),
  }
end

local tests = {}

-- The sum over a fine grid in -12..12 is the integral, to rounding for smooth functions; uniform laws have
-- corners.
local N = 24001
local grid = tide.linspace(-12, 12, N, F64):reshape{N, 1}
local function integral(values) return tide.where(values:eq(values), values, 0):sum(1) * (24 / (N - 1)) end

tests["densities of numbers: integral 1, mean, variance, entropy, divergence"] = function()
  for name, laws in pairs(numbers()) do
    local d, other, limit = laws[1], laws[2], name == "uniform" and 3e-3 or 1e-11
    local log_p = d:log_prob(grid)
    local p = log_p:exp()
    near(integral(p), tide.ones({2}, F64), limit)
    local mean = integral(p * grid)
    near(mean, d:mean(), limit)
    near(integral(p * (grid - mean):square()), d:variance(), limit)
    near(d:stddev(), d:variance():sqrt())
    if other then
      near(integral(p * -log_p), d:entropy(), limit)
      near(integral(p * (log_p - other:log_prob(grid))), D.kl(d, other), limit * 3)
      near(D.kl(d, d), tide.zeros({2}, F64), 1e-15)
    end
  end
  near(D.normal(f64(1), 2):log_prob(0.3), f64(-0.5 * 0.35 ^ 2 - math.log(2) - 0.5 * math.log(2 * math.pi)))
  assert(D.kl(D.uniform(0, 2), D.uniform(1, 3)):item() == math.huge)
  assert(D.uniform(0, 1):log_prob(2):item() == -math.huge and D.uniform(0, 1):log_prob(1):item() == 0)
end

tests["classes: sums 1, mean, variance, entropy, divergence; what has no chance"] = function()
  for _, laws in pairs(counts()) do
    local d, other, values = table.unpack(laws)
    values = values:reshape{#values, 1}
    local log_p = d:log_prob(values)
    local p, k = log_p:exp(), values:to "float64"
    near(p:sum(1), tide.ones({2}, F64))
    near((p * k):sum(1), d:mean())
    near((p * k:square()):sum(1) - d:mean():square(), d:variance(), 1e-11)
    near(-(p * log_p):sum(1), d:entropy())
    near((p * (log_p - other:log_prob(values))):sum(1), D.kl(d, other))
    near((other:log_prob(values):exp() * (other:log_prob(values) - log_p)):sum(1), D.kl(other, d))
  end
  local sure = D.bernoulli{probs = f64{0, 1}}
  near(sure:entropy(), tide.zeros({2}, F64), 0)
  near(D.kl(sure, D.bernoulli{probs = f64{0.5, 0.5}}), f64{1, 1} * math.log(2))
  near(tide.grad(function(q) return D.kl(sure, D.bernoulli{probs = q}):sum() end)(f64{0.5, 0.5}), f64{2, -2})
  assert(D.kl(D.bernoulli{probs = 0.5}, D.bernoulli{probs = 1}):item() == math.huge)
  near(D.bernoulli{logits = f64{800, -800}}:log_prob(f64{0, 0}), f64{-800, 0})
  local ruled_out = D.categorical{logits = f64{0, 0, -math.huge}}
  check.near(ruled_out:entropy():item(), math.log(2))
  assert(ruled_out:log_prob(tide.tensor({3}, I64))[1] == -math.huge)
  assert(D.kl(ruled_out, ruled_out):item() == 0)
  local slope = tide.grad(function(q) return D.categorical{logits = q}:entropy() end)
  near(slope(f64{0, 0, -math.huge}), f64{0, 0, 0}, 1e-16)
end

tests["vectors: integral 1, mean, entropy; a matrix in three ways"] = function()
  local n = 481
  local axis = tide.linspace(-12, 12, n, F64)
  local x = axis:reshape{n, 1, 1}:broadcast_to{n, n, 1}:reshape{n * n, 1}
  local y = axis:reshape{1, n, 1}:broadcast_to{n, n, 1}:reshape{n * n, 1}
  local points, cell = tide.cat({x, y}, 2), (24 / (n - 1)) ^ 2
  for i, d in ipairs(vectors()) do
    local at = #d:batch_shape() > 0 and points:reshape{n * n, 1, 2} or points
    local log_p = d:log_prob(at)
    local p = log_p:exp()
    if i < 5 then
      near(p:sum(1) * cell, tide.ones(d:batch_shape(), F64), 1e-5)
      local shape = p:shape()
      shape[#shape + 1] = 1
      near((p:reshape(shape) * at):sum(1) * cell, d:mean(), 1e-5)
    end
    if i < 4 then near(-(p * log_p):sum(1) * cell, d:entropy(), 1e-4) end
  end
  local L, inverse = tide.linalg.cholesky(B), tide.linalg.inv(B)
  local one = D.multivariate_normal(loc, {covariance = B})
  local z = tide.randn({7, 3, 2}, {seed = 1, dtype = "float64"})
  for _, o in ipairs{{scale_tril = L}, {precision = (inverse + inverse:transpose()) / 2}} do
    local other = D.multivariate_normal(loc, o)
    near(one:log_prob(z), other:log_prob(z), 1e-11)
    near(one:variance(), other:variance(), 1e-11)
    near(D.kl(one, other), tide.zeros({3}, F64), 1e-12)
  end
  near(f64(one:log_prob(z)[1][2]), D.multivariate_normal(loc, {covariance = B[2]}):log_prob(z[1][2]), 1e-12)
  near(D.independent(D.normal(loc, 1)):log_prob(z), D.normal(loc, 1):log_prob(z):sum(-1))
end

tests["as many laws as numbers in a vector: each is what it is alone"] = function()
  local pair = B:slice(1, 1, 2)
  local x, other = f64{{1, 2}, {-0.5, 0.25}}, D.multivariate_normal(loc, {covariance = A})
  for _, key in ipairs{"covariance", "precision", "scale_tril"} do
    local function law(value) return D.multivariate_normal(loc, {[key] = value}) end
    local matrices = key == "scale_tril" and tide.linalg.cholesky(pair) or pair
    local both, alone = law(matrices), {law(matrices[1]), law(matrices[2])}
    local function each(fn) return tide.stack{fn(alone[1], 1), fn(alone[2], 2)} end
    near(both:log_prob(x), each(function(d, i) return d:log_prob(x[i]) end))
    near(D.kl(both, other), each(function(d) return D.kl(d, other) end))
    near(D.kl(other, both), each(function(d) return D.kl(other, d) end))
    near(both:entropy(), each(function(d) return d:entropy() end))
    near(both:variance(), each(function(d) return d:variance() end))
  end
end

tests["divergences of normal vectors: diagonal and full, by hand and by samples"] = function()
  local p, q = D.diagonal_normal(loc, f64{1, 0.5}), D.multivariate_normal(f64{0, 0}, {covariance = A})
  local full = D.multivariate_normal(loc, {covariance = f64{{1, 0}, {0, 0.25}}})
  near(D.kl(p, q), D.kl(full, q))
  near(D.kl(q, p), D.kl(q, full))
  near(D.kl(p, D.diagonal_normal(f64{0, 0}, 1)), D.kl(D.normal(loc, f64{1, 0.5}), D.normal(0, 1)):sum())
  local rows = D.multivariate_normal(f64{{0, 0}, {1, 1}, {-1, 0}}, {covariance = A}) -- one matrix for three
  assert(#rows:batch_shape() == 1 and rows:batch_shape()[1] == 3 and #rows:sample(2, {seed = 1})[1] == 3)
  for _, pair in ipairs{{p, q}, {q, p}, {D.multivariate_normal(loc, {covariance = B}), q}} do
    local x = pair[1]:sample(40000, {seed = 2})
    near((pair[1]:log_prob(x) - pair[2]:log_prob(x)):mean(1), D.kl(pair[1], pair[2]), 0.06)
  end
end

tests["moments of samples, shapes, seeds"] = function()
  local all = vectors()
  for _, laws in pairs(numbers()) do all[#all + 1] = laws[1] end
  for _, laws in pairs(counts()) do all[#all + 1] = laws[1] end
  for _, d in ipairs(all) do
    local n = 40000
    local x = d:sample(n, {seed = 3}):to "float64"
    near(x:mean(1), d:mean(), 0.05)
    near(x:var(1), d:variance(), 0.09)
    local shape = d:sample({2, 0, 3}):shape()
    local tail = table.concat(d:sample():shape(), ",")
    assert(table.concat(shape, ",") == "2,0,3" .. (tail ~= "" and "," .. tail or ""))
    assert(largest(d:sample(5, {seed = 4}) - d:sample(5, {seed = 4})) == 0)
    assert(largest(d:sample(5, {seed = 4}) - d:sample(5, {seed = 5})) > 0)
    tide.seed(1)
    local one = d:sample(4)
    local other = d:sample(4)
    tide.seed(1)
    assert(largest(d:sample(4) - one) == 0 and largest(one - other) > 0)
  end
  local x = D.multivariate_normal(loc, {covariance = A}):sample(40000, {seed = 1}) - loc
  near(x:transpose():matmul(x) / 40000, A, 0.04)
  local shared = D.mixture(f64{0.5, 0.5}, D.normal(f64{{-9, 9}, {-9, 9}}, 1)):sample(200, {seed = 1}):gt(0)
  assert(largest(shared:select(2, 1):to "float64" - shared:select(2, 2):to "float64") == 1) -- chosen apart
  local rare = D.categorical{probs = f64{1e-3, 0.999}}:sample(100000, {seed = 1})
  near(rare:eq(1):to "float64":mean(), f64(1e-3), 4e-4)
end

local x = f64{0.3, 0.4}
local differentiated = {
  {function(p)
    local d = D.normal(p.a, p.b:exp())
    return d:log_prob(x):sum() + d:entropy():sum() + D.kl(d, D.normal(p.b, p.a:exp())):sum()
  end},
  {function(p) return D.uniform(p.a - 3, p.b:exp() + 2):log_prob(x):sum() end},
  {function(p) return D.kl(D.bernoulli{logits = p.a}, D.bernoulli{probs = p.b:sigmoid()}):sum() end},
  {function(p)
    local c = D.categorical{logits = p.a}
    return D.kl(c, D.categorical{probs = p.b:exp()}) + c:log_prob(tide.tensor({1, 2, 2}, I64)):sum()
      + c:entropy()
  end},
  {function(p)
    local L = tide.stack{p.b:exp(), p.a}:tril():transpose():triu():transpose() + tide.eye(2, F64)
    local d, e = D.multivariate_normal(p.a, {scale_tril = L}), D.diagonal_normal(p.b, p.a:exp())
    return D.kl(d, e) + D.kl(e, d) + d:log_prob(x) + d:entropy()
  end},
  {function(p)
    local C = p.b:reshape{2, 1} * p.b + A * 2
    return D.multivariate_normal(p.a, {covariance = C}):log_prob(tide.stack{x, x * 2}):sum()
  end},
  {function(p) return D.mixture(D.categorical{logits = p.a}, D.normal(p.b, p.a:exp())):log_prob(0.3) end},
  {function(p) return D.normal(p.a, p.b:exp()):sample(3, {seed = 1}):square():sum() end},
  {function(p) return D.uniform(p.a - 3, p.b + 2):sample(3, {seed = 1}):square():sum() end},
  {function(p)
    return D.multivariate_normal(p.a, {covariance = p.b:reshape{2, 1} * p.b + A}):sample(3, {seed = 1})
      :square():sum()
  end},
}
tests["gradients: of log_prob, entropy, divergence, and through samples"] = function()
  local p = {a = f64{0.3, -0.2}, b = f64{0.1, 0.4}}
  for i, case in ipairs(differentiated) do
    local ok, worst = tide.gradcheck(case[1], p)
    assert(ok, ("case %d: off by %g"):format(i, worst))
    local again = tide.gradcheck(function(q) -- second derivatives
      local g = tide.grad(case[1])(q)
      return (g.a * g.a):sum() + g.b:sum()
    end, p)
    assert(again, "second derivatives of case " .. i)
  end
  for _, d in ipairs(vectors()) do
    assert(d.reparametrised == (d.kind ~= "mixture") and not D.bernoulli{probs = 0.5}.reparametrised)
  end
end

tests["a distribution is a table of tensors: grad and compile take it, draws are fresh"] = function()
  local p, q = D.normal(f64{0, 1}, f64{1, 2}), D.normal(f64(0), f64(1))
  local g = tide.grad(function(d) return D.kl(d, q):sum() end)(p)
  near(g.loc, f64{0, 1})
  near(g.scale, f64{0, 1.5})
  for _, d in ipairs(vectors()) do
    local run = tide.compile(function(law) return law:log_prob(loc), law:sample(2) end)
    local value, first = run(d)
    near(value, d:log_prob(loc), 1e-12)
    local _, second = run(d)
    assert(largest(first - second) > 0)
  end
  local fit = {mean = f64{0, 0}, log_scale = f64{0, 0}} -- maximum likelihood
  local seen = D.diagonal_normal(loc, f64{0.5, 2}):sample(500, {seed = 1})
  local both = tide.compile(tide.value_and_grad(function(m)
    return -D.diagonal_normal(m.mean, m.log_scale:exp()):log_prob(seen):mean()
  end))
  tide.optim.lbfgs(fit, {max_iter = 50, tolerance_change = 1e-15}):step(function() return both(fit) end)
  near(fit.mean, seen:mean(1), 1e-6)
  near(fit.log_scale:exp(), (seen - seen:mean(1)):square():mean(1):sqrt(), 1e-6)
end

tests["dtypes: numbers change none"] = function()
  assert(D.normal(tide.zeros{2}, 1):log_prob(0):dtype() == "float32")
  assert(D.normal(0, f64{1, 2}):sample():dtype() == "float64")
  assert(D.normal(0, 1):sample():dtype() == "float32")
  assert(D.bernoulli{probs = f64{0.5}}:sample():dtype() == "float64")
  assert(D.categorical{probs = tide.ones{2}}:sample():dtype() == "int64")
end

local n = D.normal(tide.zeros{2, 3}, 1)
local refused = {
  {"scale, the standard deviation, must be > 0", D.normal, 0, 0}, {"loc holds nan", D.normal, 0 / 0, 1},
  {"loc must be a tensor or a number, got \"a\"", D.normal, "a", 1},
  {'loc is int64, it must be of floats', D.normal, tide.tensor({1}, I64), 1},
  {"loc and scale have shapes {2} and {3}", D.normal, tide.zeros{2}, tide.ones{3}},
  {"low must be less than high", D.uniform, 1, 1},
  {"probs must lie in 0..1", D.bernoulli, {probs = 1.5}}, {"give probs or logits", D.bernoulli, {}},
  {"give probs or logits", D.categorical, {probs = tide.ones{2}, logits = tide.ones{2}}},
  {'did you mean "logits"', D.categorical, {logit = tide.ones{2}}},
  {"must be >= 0 and not all 0", D.categorical, {probs = tide.tensor{0, 0}}},
  {"the classes lie along the last axis, got shape {}", D.categorical, {probs = 1}},
  {"x of shape {3, 2} does not go with laws of batch shape {2, 3}", n.log_prob, n, tide.zeros{3, 2}},
  {"call it with a colon", n.log_prob, tide.zeros{2}},
  {"the shape must be a table", n.sample, n, "a"}, {"axes must be an integer in 0..2", D.independent, n, 3},
  {"expected a distribution", D.independent, 3}, {"expected a distribution", D.kl, n, 3},
  {"covariance must be symmetric", D.multivariate_normal, tide.zeros{2}, {covariance =
    tide.tensor{{1, 0.5}, {0, 1}}}},
  {"must be {..., 2, 2}", D.multivariate_normal, tide.zeros{2}, {covariance = tide.eye(3)}},
  {"scale_tril must be lower triangular", D.multivariate_normal, tide.zeros{2}, {scale_tril =
    tide.tensor{{1, 0.5}, {0, 1}}}},
  {"a diagonal > 0", D.multivariate_normal, tide.zeros{2}, {scale_tril = tide.zeros{2, 2}}},
  {"give covariance, scale_tril or precision", D.multivariate_normal, tide.zeros{2}, {}},
  {"give one of covariance", D.multivariate_normal, tide.zeros{2}, {covariance = tide.eye(2),
    precision = tide.eye(2)}},
  {"2 weights of batch shape {} do not go with components of batch shape {2, 3}", D.mixture, tide.ones{2},
    n},
  {"there is no closed form for a normal and a uniform; estimate it: local x", D.kl, D.normal(0, 1),
    D.uniform(0, 1)},
  {"the laws have 2 and 3 classes", D.kl, D.categorical{probs = tide.ones{2}},
    D.categorical{probs = tide.ones{3}}},
  {"tide.tensor{...}", D.normal, {0, 1}, 1},
  {"say what is given: tide.distributions.categorical{probs = p}", D.categorical, tide.ones{3}},
  {"say what the matrix is", D.multivariate_normal, tide.zeros{2}, tide.eye(2)},
  {"got a list of distributions", D.mixture, tide.ones{2}, {D.normal(0, 1), D.normal(1, 1)}},
  {"got a list of distributions", D.mixture, tide.ones{1}, {D.normal(0, 1)}},
  {"do not go together", D.kl, n, D.diagonal_normal(tide.zeros{3}, 1)},
}
tests["what is refused"] = function()
  for _, case in ipairs(refused) do check.fails(table.unpack(case)) end
  local mix = D.mixture(tide.ones{3}, n)
  check.fails("estimate it by -d:log_prob", mix.entropy, mix)
  check.fails("no closed form for a mixture", D.kl, mix, mix)
  local bit, class = D.bernoulli{probs = 0.5}, D.categorical{probs = tide.ones{2}}
  check.fails("x must be 0 or 1", bit.log_prob, bit, tide.tensor{0.5})
  check.fails("x must lie in 1..2", class.log_prob, class, tide.tensor({0, 1}, I64))
  check.fails("class numbers 1, 2, ..., int64, got float32", class.log_prob, class, tide.ones{2})
  check.fails('unknown function "normals" (did you mean "normal"?)', function() return D.normals end)
  check.fails('a normal has no field "scal" to be set', function() n.scal = 1 end)
  check.fails('unknown field "scal" (did you mean "scale"?)', function() return n.scal end)
  local wrong = D.multivariate_normal(tide.zeros{2}, {covariance = tide.tensor{{1, 2}, {2, 1}}})
  check.fails("positive definite", wrong.log_prob, wrong, tide.zeros{2})
end

return tests
