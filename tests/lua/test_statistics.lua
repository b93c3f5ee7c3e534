--- Order statistics, covariances, counts, differences, integrals, products: against formulas, NumPy's numbers
-- and differences.

local check = require "check"
local tide = require "tide"

local tests = {}
local fails, near = check.fails, check.near
local F64 = {dtype = "float64"}
local function f64(x) return tide.tensor(x, F64) end
local function ints(x) return tide.tensor(x, {dtype = "int64"}) end
local function same(got, want, what)
  assert(table.concat(got:shape(), " ") == table.concat(want:shape(), " "), what)
  assert(want:numel() == 0 or got:to "float64":allclose(want:to "float64", {rtol = 1e-14, atol = 1e-15,
    equal_nan = true}), ("%s: %s, not %s"):format(what or "", tostring(got), tostring(want)))
end

tests["quantiles and medians are NumPy's"] = function()
  local x = f64{{3, 1, 4, 1}, {5, 9, 2, 6}, {5, 3, 5, 8}}
  -- numpy.quantile(x, q, axis)
  same(x:quantile(0.3), f64(3), "all")
  same(x:quantile({0, 0.1, 0.55, 1}), f64{1, 1.1, 5, 9}, "several")
  same(x:quantile(0.25, 1), f64{4, 2, 3, 3.5}, "axis 1")
  same(x:quantile({0.25, 0.9}, 2, true), f64{{{1}, {4.25}, {4.5}}, {{3.7}, {8.1}, {7.1}}}, "axis 2, kept")
  same(x:median(), f64(4.5), "median")
  same(x:median(-1), f64{2, 5.5, 5}, "rows")
  same(x:median(nil, true), f64{{4.5}}, "kept")
  same(f64{1, 0 / 0, 2}:median(), f64(0 / 0), "NaN")
  same(f64{1, 2, math.huge}:quantile({0, 0.5}), f64{1, 2}, "Inf")
  same(ints{1, 2}:median(), tide.tensor(1.5), "integers")
  assert(tide.median(f64{7}):item() == 7)
  fails("q must be a number in 0..1", x.quantile, x, 25)
  fails("there are no elements", tide.median, tide.zeros{0})
  fails("axis must be", x.median, x, 3)
  local p = f64{0.3, -1.2, 2.2, 0.9, -0.4}
  assert(tide.gradcheck(function(v) return (v:quantile({0.2, 0.5, 0.71}) * f64{1, 2, 3}):sum() end, p))
end

tests["covariances and correlations"] = function()
  local x = f64{{1, 2, 4, 8}, {3, 1, 0, -2}, {1, 1, 2, 1}}
  local want = {}
  for i = 1, 3 do
    want[i] = {}
    for j = 1, 3 do
      local a, b = x[i] - x[i]:mean(), x[j] - x[j]:mean()
      want[i][j] = (a * b):sum():item() / 3
    end
  end
  same(x:cov(), f64(want), "cov")
  same(x:cov{correction = 0}, f64(want) * 0.75, "of all")
  same(x[1]:cov(), x[1]:var(), "a vector")
  local r = x:corrcoef()
  same(r:diag(), tide.ones({3}, F64), "itself")
  near(r[1][2], want[1][2] / math.sqrt(want[1][1] * want[2][2]), 1e-15)
  assert(f64{{1, 2}, {3, 3}}:corrcoef()[2][1] ~= f64{{1, 2}, {3, 3}}:corrcoef()[2][1])
  assert(tide.gradcheck(function(v) return (v:cov() * f64{{1, 2, 0}, {0, 1, 3}, {1, 0, 1}}):sum() end, x))
  assert(tide.gradcheck(function(v) return v:corrcoef()[1]:slice(1, 2, 3):square():sum() end, x))
  fails("expected {variables, observations}", tide.cov, tide.zeros{2, 2, 2})
end

tests["counts"] = function()
  same(ints{1, 3, 3, 6}:bincount(), ints{1, 0, 2, 0, 0, 1}, "bincount")
  same(ints{2, 2}:bincount{minlength = 4}, ints{0, 2, 0, 0}, "minlength")
  same(ints{1, 2, 1}:bincount{weights = f64{0.5, 1, 2}}, f64{2.5, 1}, "weights")
  same(tide.zeros({0}, {dtype = "int64"}):bincount{minlength = 2}, ints{0, 0}, "none")
  fails("integers from 1 on, got 0", tide.bincount, ints{0, 1})
  fails("x must be integers, got float32", tide.bincount, tide.ones{2})
  fails("as many as the elements, 2", tide.bincount, ints{1, 2}, {weights = f64{1}})
  fails("the size of the result depends on numbers", tide.grad(function(w)
    return (w:to "int64":bincount()):sum()
  end), tide.ones{2})
  -- numpy.histogram([1, 2, 1, 4, 5, 5], 4): edges 1, 2, 3, 4, 5
  local x = f64{1, 2, 1, 4, 5, 5}
  local counts, edges = x:histogram(4)
  same(counts, ints{2, 1, 0, 3}, "counts")
  same(edges, f64{1, 2, 3, 4, 5}, "edges")
  counts = x:histogram({0, 1, 2.5, 4.5})
  same(counts, ints{0, 3, 1}, "given edges")
  counts, edges = x:histogram(2, {range = {1, 4}, density = true})
  same(counts, f64{3, 1} / 4 / 1.5, "density")
  same(edges, f64{1, 2.5, 4}, "its edges")
  same((x:histogram(2, {range = {1, 4}, weights = f64{1, 2, 4, 8, 16, 32}})), f64{7, 8}, "weights")
  same((f64{2, 2}:histogram(2)), ints{0, 2}, "one value")
  same(select(2, f64{2, 2}:histogram(2)), f64{1.5, 2, 2.5}, "around it")
  same((tide.zeros{0}:histogram(3)), ints{0, 0, 0}, "none")
  same((f64{0, 0.5, 0 / 0, 9}:histogram(2, {range = {0, 1}})), ints{1, 1}, "outside, NaN")
  for seed = 1, 20 do -- every element is in a bin, whatever the edges round to
    local y = tide.randn({100}, {seed = seed})
    assert(y:histogram(7):sum():item() == 100)
  end
  local inside = tide.compile(function(v) return (v:histogram(4)) end)
  same(inside(x), (x:histogram(4)), "compiled")
  fails("not finite; give range", tide.histogram, f64{1, 0 / 0})
  fails("must grow strictly", tide.histogram, x, {1, 1, 2})
  fails("bins must be an integer >= 1", tide.histogram, x, 0)
  fails("range must be {low, high}", tide.histogram, x, 3, {range = {2, 1}})
  assert(tide.gradcheck(function(w) return (x:histogram(2, {weights = w}) * f64{1, 3}):sum() end, x * 0.3))
end

tests["differences and integrals along an axis"] = function()
  local x = f64{{1, 4, 9, 16}, {2, 3, 5, 7}}
  same(x:diff(), f64{{3, 5, 7}, {1, 2, 2}}, "diff")
  same(x:diff(2), f64{{2, 2}, {1, 0}}, "twice")
  same(x:diff(1, 1), f64{{1, -1, -4, -9}}, "axis 1")
  same(x:diff(0), x, "not at all")
  same(x:diff(9), tide.zeros({2, 0}, F64), "nothing left")
  same(tide.tensor({3, 1}, {dtype = "uint8"}):diff(), ints{-2}, "uint8")
  fails("n must be an integer >= 0", x.diff, x, -1)
  same(x:trapezoid(), f64{21.5, 12.5}, "ones")
  same(x:trapezoid(0.5, 1), f64{0.75, 1.75, 3.5, 5.75}, "apart")
  same(x:trapezoid({0, 1, 3, 4}), f64{2.5 + 13 + 12.5, 2.5 + 8 + 6}, "points")
  same(x:trapezoid(x), f64{7.5 + 32.5 + 87.5, 2.5 + 8 + 12}, "of y's shape")
  same(f64{7}:trapezoid(), f64(0), "one point")
  fails("a vector of 4 points", x.trapezoid, x, f64{1, 2})
  local t = tide.linspace(0, 1, 1001, F64)
  near(tide.trapezoid(t:exp(), t):item(), (math.exp(1) - 1) * (1 + 1e-6 / 12), 1e-12)
  local ys = tide.odeint(function(_, y) return -y end, f64{1, 2}, {0, 0.5, 1})
  same(tide.trapezoid(ys, {0, 0.5, 1}, 1), (ys[1] + ys[2] * 2 + ys[3]) / 4, "of a solve")
  assert(tide.gradcheck(function(p) return p.y:trapezoid(p.t):square():sum() end,
    {y = x, t = f64{0, 0.3, 1, 2.2}}))
  assert(tide.gradcheck(function(v) return v:diff(2):square():sum() end, x))
end

tests["traces, products of Kronecker and of vectors in space"] = function()
  local x = f64{{1, 2, 3}, {4, 5, 6}}
  assert(x:trace():item() == 6 and x:transpose():trace():item() == 6)
  assert(ints{{2, 0}, {0, 5}}:trace():item() == 7)
  same(tide.stack{x, x * 2}:trace(), f64{6, 12}, "batch")
  fails("expected a matrix", tide.trace, tide.ones{3})
  same(f64{{1, 2}}:kron(f64{{0, 1}, {2, 3}}), f64{{0, 1, 0, 2}, {2, 3, 4, 6}}, "kron")
  same(f64{1, 2}:kron(f64{{1, 1}}), f64{{1, 1, 2, 2}}, "ranks")
  local a, b, c, d = x:matmul(x:transpose()), f64{{1, 2}, {0, 1}}, f64{{2, 1}, {1, 1}}, f64{{0, 1}, {3, 2}}
  same(a:kron(b):matmul(c:kron(d)), a:matmul(c):kron(b:matmul(d)), "mixed products")
  local e = tide.eye(3, F64)
  same(e[1]:cross(e[2]), e[3], "e1 x e2")
  local u, v = f64{{1, -2, 0.5}, {0, 3, 1}, {2, 2, 2}, {-1, 0, 4}}, f64{0.5, -1, 2}
  local w = u:cross(v)
  assert((w * u):sum(2):abs():max():item() < 1e-14 and (w * v):sum(2):abs():max():item() < 1e-14)
  same(u:transpose():cross(v:reshape{3, 1}, 1), w:transpose(), "axis 1")
  fails("must have three elements along axis -1", tide.cross, f64{1, 2}, f64{1, 2})
  assert(tide.gradcheck(function(p) return (p.u:cross(p.v) * u):sin():sum() end, {u = u, v = v}))
  assert(tide.gradcheck(function(p) return p.a:kron(p.b):square():trace() end, {a = a, b = b}))
end

tests["logspace"] = function()
  same(tide.logspace(-3, 1, 5, F64), f64{1e-3, 1e-2, 0.1, 1, 10}, "decades")
  same(tide.logspace(0, 3, 4, {base = 2, dtype = "float64"}), f64{1, 2, 4, 8}, "base 2")
  assert(tide.logspace(0, 1, 3):dtype() == "float32" and tide.logspace(0, 1, 0):numel() == 0)
  fails("base must be", tide.logspace, 0, 1, 3, {base = 0})
  fails("tide.logspace: n must be", tide.logspace, 0, 1, 2.5)
end

return tests
