-- tide.linalg: residuals of every function, on batches, views and nothing; derivatives of both orders in
-- float64; what is singular.
local check = require "check"
local tide = require "tide"
local op_checks = require "op_checks"
local core, linalg = tide.core, tide.linalg

local randn, layouts, check_all = op_checks.randn, op_checks.layouts, op_checks.check_all
local F64 = {dtype = "float64"}
local tests = {}

local function f64(v) return tide.tensor(v, F64) end
local function near(a, b, limit, what)
  local shape = table.concat(a:shape(), ",")
  assert(shape == table.concat(b:shape(), ","), (what or "") .. ": shape " .. shape)
  local off = a:numel() > 0 and (a - b):abs():max():item() or 0
  assert(off <= limit, ("%s: off by %g"):format(what or "", off))
end
local fails = check.fails
local function identity(x)
  return x:matmul(x:transpose()) * 0 + tide.eye(x:shape()[x:rank() - 1], {dtype = x:dtype()})
end
-- Well-conditioned, not symmetric; symmetric positive definite, with eigenvalues that differ.
local function good(shape, seed)
  local n = shape[#shape]
  return randn(shape, seed) * 0.4 + tide.arange(1, n, 1, F64) * tide.eye(n, F64)
end
local function definite(shape, seed)
  local x = good(shape, seed)
  return x:matmul(x:transpose())
end
local function symmetric(x) return (x + x:transpose()) * 0.5 end
local function scaled(u, s)
  local shape = s:shape()
  table.insert(shape, #shape, 1)
  return u * s:reshape(shape)
end

local function joined(...)
  local list = {}
  for i, x in ipairs{...} do list[i] = x:reshape{x:numel()} end
  return tide.cat(list)
end

-- ---- values ----

tests["every result is what it says, in both dtypes, for batches and views"] = function()
  for dtype, eps in pairs{float32 = 1e-4, float64 = 1e-12} do
    for _, shape in ipairs{{1, 1}, {5, 5}, {40, 40}, {3, 4, 4}, {2, 1, 3, 3}} do
      for _, x in ipairs(layouts(good(shape, 1):to(dtype))) do
        local what = ("%s {%s}"):format(dtype, table.concat(shape, ","))
        local n = shape[#shape]
        local one = identity(x)
        near(linalg.inv(x):matmul(x), one, eps, what .. " inv")
        local b = randn(shape, 2):to(dtype):slice(-1, 1, math.min(n, 2))
        near(x:matmul(linalg.solve(x, b)), b, eps * n, what .. " solve")
        local sign, log_size = linalg.slogdet(x)
        if n <= 5 then -- 40! is too large for float32
          local det = linalg.det(x)
          near(sign * log_size:exp() / det, det * 0 + 1, eps, what .. " slogdet")
        end
        near(linalg.logdet(x:matmul(x:transpose())), log_size * 2, eps * n, what .. " logdet")
        local d = definite(shape, 3):to(dtype)
        local scale = d:abs():max():item()
        local L = linalg.cholesky(d)
        near(L:matmul(L:transpose()), d, eps * scale, what .. " cholesky")
        local w, V = linalg.eigh(d)
        near(scaled(V, w):matmul(V:transpose()), d, eps * scale * 10, what .. " eigh")
        near(V:transpose():matmul(V), one, eps, what .. " vectors")
        near(w, linalg.eigvalsh(d), 0)
        if n > 1 then assert((w:slice(-1, 2, n) - w:slice(-1, 1, n - 1)):min():item() >= 0) end
        near(linalg.eigvals(d):select(-1, 1), w, eps * scale * 10, what .. " eigvals")
        local e, back = linalg.matrix_exp(x * 0.1), linalg.matrix_exp(x * -0.1)
        near(e:matmul(back), one, eps * 100, what .. " matrix_exp")
      end
    end
  end
end

tests["matrices that are not square"] = function()
  for dtype, eps in pairs{float32 = 1e-5, float64 = 1e-13} do
    for _, shape in ipairs{{5, 2}, {2, 5}, {3, 3}, {4, 6, 3}, {4, 3, 6}, {7, 1}, {1, 7}} do
      for _, x in ipairs(layouts(randn(shape, 4):to(dtype))) do
        local m, n = shape[#shape - 1], shape[#shape]
        local Q, R = linalg.qr(x)
        near(Q:matmul(R), x, eps * 10, "qr")
        near(Q:transpose():matmul(Q), identity(Q:transpose()), eps * 10, "Q")
        local U, s, Vh = linalg.svd(x, {full_matrices = false})
        near(scaled(U, s):matmul(Vh), x, eps * 10, "svd")
        near(U:transpose():matmul(U), identity(U:transpose()), eps * 10, "U")
        local full, again, Vh_full = linalg.svd(x)
        near(full:matmul(full:transpose()), identity(full), eps * 10, "whole U")
        near(Vh_full:matmul(Vh_full:transpose()), identity(Vh_full), eps * 10, "whole Vh")
        near(again, s, eps * 10)
        near(linalg.svdvals(x), s, 0)
        local b = randn({m}, 5):to(dtype)
        local y = linalg.lstsq(x, #shape == 2 and b or b:broadcast_to{4, m})
        local residual = x:matmul(y:reshape(#shape == 2 and {n, 1} or {4, n, 1})) - b:reshape{m, 1}
        near(x:transpose():matmul(residual), x:transpose():matmul(residual) * 0, eps * 100, "lstsq")
        if m < n then near(residual, residual * 0, eps * 100, "lstsq, wide") end
      end
    end
  end
end

-- Where rounding counts as random (64 rows and more): half of the squarings that powers of |a| ask for.
tests["exponentials of matrices of many rows, and their derivatives"] = function()
  local n, one = 80, tide.eye(80, F64)
  local x = randn({n, n}, 5) -- |x| has a radius of 64, x one of 9
  local skew = x - x:transpose()
  for dtype, least in pairs{float32 = 2 ^ -23, float64 = 2 ^ -52} do
    local e = linalg.matrix_exp(skew:to(dtype))
    near(e:matmul(e:transpose()), one:to(dtype), 100 * least, "a rotation, " .. dtype)
    local whole, half = linalg.matrix_exp(x:to(dtype)), linalg.matrix_exp((x * 0.5):to(dtype))
    near(half:matmul(half) / whole:abs():max(), whole / whole:abs():max(), 300 * least, "e^x, " .. dtype)
    local batch = linalg.matrix_exp(tide.stack{x, skew, x * 0.5}:to(dtype))
    assert(batch[2]:equal(e) and batch[1]:equal(whole) and batch[3]:equal(half), "the same bits in a batch")
  end
  -- u v^T with u v = 0: its powers are nothing but rounding, e^a = 1 + a
  local u, v = randn({n, 1}, 6), randn({1, n}, 7)
  v = v - u:transpose() * (v:matmul(u) / u:transpose():matmul(u))
  local a = u:matmul(v)
  near(linalg.matrix_exp(a), one + a, 1e-11, "nilpotent")
  -- e^{{x, w}, {0, x}} has the derivative of e^x by w above (Higham 2008, equation 3.16)
  x = x * 0.3
  local w = randn({n, n}, 8)
  local y, change = tide.jvp(linalg.matrix_exp, x, w)
  local block = linalg.matrix_exp(tide.cat({tide.cat({x, w}, 2), tide.cat({x * 0, x}, 2)}, 1))
  local scale = 1 / change:abs():max()
  near(block:slice(1, 1, n):slice(2, n + 1, 2 * n) * scale, change * scale, 1e-12, "jvp")
  local gradient = tide.grad(function(p) return (linalg.matrix_exp(p) * y):sum() end)
  local _, second = tide.jvp(gradient, x, w)
  local difference = (gradient(x + w * 1e-5) - gradient(x - w * 1e-5)) / 2e-5
  scale = 1 / second:abs():max()
  near(difference * scale, second * scale, 1e-7, "second order")
end

tests["known results"] = function()
  near(linalg.det(f64{{2, 1}, {1, 3}}), f64(5), 1e-14)
  near(linalg.det(f64{{0, 1}, {1, 0}}), f64(-1), 0)
  near(linalg.det(f64{{1, 2}, {2, 4}}), f64(0), 0)
  local sign, log_size = linalg.slogdet(f64{{1, 2}, {2, 4}})
  assert(sign:item() == 0 and log_size:item() == -math.huge)
  assert(linalg.logdet(f64{{0, 1}, {1, 0}}):item() ~= linalg.logdet(f64{{0, 1}, {1, 0}}):item())
  near(linalg.matrix_exp(f64{{0, 1}, {0, 0}}), f64{{1, 1}, {0, 1}}, 1e-15)
  for _, a in ipairs{1e-3, 0.1, 0.5, 1.5, 4, 30, 300} do -- each approximant, and scaling
    local c, s = math.cos(a), math.sin(a)
    near(linalg.matrix_exp(f64{{0, -a}, {a, 0}}), f64{{c, -s}, {s, c}}, 1e-14 * math.max(1, a), a)
  end
  -- a norm of a million, eigenvalues of 1: halved 20 times it would lose 10 digits
  local e = linalg.matrix_exp(f64{{1, 1e6}, {0, -1}})
  near(e / f64{{math.exp(1), 1e6 * (math.exp(1) - math.exp(-1)) / 2}, {1, math.exp(-1)}},
    f64{{1, 1}, {0, 1}}, 1e-14, "far from normal")
  for _, big in ipairs{1e60, 1e200} do -- powers that are no numbers
    near(linalg.matrix_exp(f64{{-big}}), f64{{0}}, 0, "huge")
  end
  near(linalg.eigvals(f64{{0, 1}, {-4, 0}}), f64{{0, -2}, {0, 2}}, 1e-15)
  near(linalg.solve(tide.tensor({{2, 1}, {1, 3}}, {dtype = "int64"}), tide.tensor({3, 5}, {dtype = "int64"})),
    tide.tensor{0.8, 1.4}, 1e-6)
  -- one matrix for many right-hand sides, and the other way round
  local A, B = good({3, 3}, 1), randn({4, 2, 3, 2}, 2)
  near(A:matmul(linalg.solve(A, B)), B, 1e-13)
  local As, b = good({4, 3, 3}, 1), randn({3, 1}, 2)
  near(As:matmul(linalg.solve(As, b)), b:broadcast_to{4, 3, 1}, 1e-13)
  local rows = randn({4, 3}, 2) -- a vector for each
  near(linalg.solve(As, rows):reshape{4, 3, 1}, linalg.solve(As, rows:reshape{4, 3, 1}), 0)
  local x = linalg.solve_triangular(A, B)
  near(core.apply("band", {0, 9}, A):matmul(x), B, 1e-13)
  x = linalg.solve_triangular(A, B, {upper = false})
  near(core.apply("band", {-9, 0}, A):matmul(x), B, 1e-13)
end

tests["nothing"] = function()
  local none, batch = tide.zeros{0, 0}, tide.zeros{0, 3, 3}
  local function shape(x, want) assert(table.concat(x:shape(), ",") == want, table.concat(x:shape(), ",")) end
  assert(linalg.det(none):item() == 1 and linalg.logdet(none):item() == 0)
  for _, name in ipairs{"inv", "cholesky", "matrix_exp"} do
    shape(linalg[name](none), "0,0")
    shape(linalg[name](batch), "0,3,3")
  end
  shape(linalg.eigvals(none), "0,2") shape(linalg.eigvals(batch), "0,3,2")
  shape(linalg.eigvalsh(none), "0") shape(select(2, linalg.eigh(batch)), "0,3,3")
  shape(linalg.det(batch), "0") shape(linalg.svdvals(batch), "0,3")
  shape(linalg.solve(none, tide.zeros{0, 2}), "0,2") shape(linalg.solve(batch, tide.zeros{0, 3, 2}), "0,3,2")
  shape(linalg.solve(tide.eye(3), tide.zeros{3, 0}), "3,0")
  local Q, R = linalg.qr(tide.zeros{3, 0})
  shape(Q, "3,0") shape(R, "0,0")
  local U, s, Vh = linalg.svd(tide.zeros{3, 0})
  shape(s, "0") shape(Vh, "0,0") near(U, tide.eye(3), 0)
  local g = tide.grad(function(a) return linalg.inv(a):sum() + linalg.det(a):sum() end)(batch)
  shape(g, "0,3,3")
end

-- ---- derivatives ----

local functions = {
  solve = {function(p) return linalg.solve(p[1], p[2]) end,
    {{good({3, 3}, 1), randn({3, 2}, 2)}, {good({2, 3, 3}, 1), randn({3, 1}, 2)},
    {good({3, 3}, 1), randn({2, 3, 2}, 2)}, {good({2, 2}, 1), randn({2}, 2)}}},
  ["solve transposed"] = {function(p) return core.apply("solve", {1, 0}, p[1], p[2]) end,
    {{good({3, 3}, 1), randn({2, 3, 2}, 2)}}},
  ["solve_triangular"] = {function(p)
    return linalg.solve_triangular(p[1], p[2]) + linalg.solve_triangular(p[1], p[2], {upper = false})
      + core.apply("solve", {1, 1}, p[1], p[2]) * 2 + core.apply("solve", {1, 2}, p[1], p[2]) * 3
  end, {{good({3, 3}, 1), randn({3, 2}, 2)}}},
  inv = {linalg.inv, {good({3, 3}, 1), good({2, 2, 2}, 1)}},
  det = {linalg.det, {good({3, 3}, 1), good({2, 2, 2}, 1)}},
  slogdet = {function(x) return select(2, linalg.slogdet(x)) end, {good({3, 3}, 1), good({2, 2, 2}, 1)}},
  logdet = {function(x) return linalg.logdet(x) end, {definite({3, 3}, 1)}},
  cholesky = {function(x) return linalg.cholesky(symmetric(x)) end,
    {definite({3, 3}, 1), definite({2, 2, 2}, 1)}},
  eigh = {function(x)
    local w, V = linalg.eigh(symmetric(x))
    return joined(w, V:square(), scaled(V, w:sin()):matmul(V:transpose()))
  end, {definite({3, 3}, 1), definite({2, 2, 2}, 1)}},
  eigvalsh = {function(x) return linalg.eigvalsh(symmetric(x)) end, {definite({4, 4}, 1)}},
  qr = {function(x) local Q, R = linalg.qr(x) return joined(Q, R) end,
    {randn({3, 3}, 4), randn({4, 2}, 4), randn({2, 4}, 4), randn({2, 3, 2}, 4)}},
  svd = {function(x)
    local U, s, Vh = linalg.svd(x, {full_matrices = false})
    return joined(U:square(), s, Vh:square(), U:matmul(Vh))
  end, {randn({3, 3}, 4), randn({4, 2}, 4), randn({2, 4}, 4), randn({2, 3, 2}, 4)}},
  svdvals = {linalg.svdvals, {randn({4, 3}, 4)}},
  ["svd, whole"] = {function(x)
    local U, s, Vh = linalg.svd(x)
    return joined(U:square(), s, Vh:square())
  end, {randn({3, 3}, 4)}},
  lstsq = {function(p) return linalg.lstsq(p[1], p[2]) end,
    {{randn({4, 2}, 1), randn({4, 3}, 2)}, {randn({2, 4}, 1), randn({2, 3}, 2)},
      {randn({3, 3}, 1), randn({3}, 2)}}},
  matrix_exp = {linalg.matrix_exp, {randn({3, 3}, 4) * 0.5, randn({2, 2, 2}, 4), randn({2, 2}, 4) * 6 - 5}},
  band = {function(x) return core.apply("band", {-1, 0}, x):sin() + core.apply("band", {1, 1}, x) end,
    {randn({3, 4}, 4), randn({2, 3, 2}, 4)}},
}

for name, row in pairs(functions) do
  tests["derivatives of both orders: " .. name] = function()
    for i, p in ipairs(row[2]) do
      check_all(("%s, %d"):format(name, i), row[1], p)
      if tide.tree.is_tensor(p) then
        for _, view in ipairs(layouts(p)) do check_all(name .. ", view", row[1], view, true) end
      end
    end
  end
end

tests["solve_triangular: B of two axes is a matrix, also beside as many matrices"] = function()
  local L = good({3, 3, 3}, 4):tril() + 3 * tide.eye(3, F64)
  local inverse = linalg.solve_triangular(L, tide.eye(3, F64), {upper = false})
  near(L:matmul(inverse), tide.eye(3, F64):broadcast_to{3, 3, 3}, 1e-14)
  near(linalg.solve_triangular(L, f64{1, 2, 3}, {upper = false}), inverse:matmul(f64{1, 2, 3}), 1e-14)
  fails("needs B of shape {3} or {..., 3, k}, got {2, 3}", linalg.solve_triangular, L:slice(1, 1, 2),
    tide.ones({2, 3}, F64))
end

tests["as many results as help says"] = function()
  local A = f64{{2, 1}, {0, 2}}
  for name, n in pairs{svdvals = 1, eigvalsh = 1, det = 1, slogdet = 2, eigh = 2, svd = 3, qr = 2, inv = 1} do
    assert(select("#", linalg[name](A)) == n, name)
  end
end

tests["equal values: what does not depend on the vectors has a derivative, what does gives NaN"] = function()
  local A = f64{{2, 0}, {0, 2}}
  near(tide.grad(function(x) return linalg.eigvalsh(x):square():sum() end)(A), A * 2, 1e-14)
  near(tide.grad(function(x) return linalg.svdvals(x):sum() end)(A), f64{{1, 0}, {0, 1}}, 1e-14)
  local g = tide.grad(function(x) return (select(2, linalg.eigh(x)) * f64{{1, 2}, {3, 5}}):sum() end)(A)
  assert(g:sum():item() ~= g:sum():item())
  -- equal but for rounding: no numbers that rounding made
  local u = randn({4, 1}, 5)
  local B = u:matmul(u:transpose())
  near(tide.grad(function(x) return linalg.eigvalsh(x):square():sum() end)(B), B * 2, 1e-13)
  near(tide.grad(function(x) return linalg.svdvals(x):square():sum() end)(B), B * 2, 1e-13)
  for _, fn in ipairs{function(x)
    local w, V = linalg.eigh(x + x:transpose())
    return (V * w:cos()):matmul(V:transpose()):sum()
  end, function(x)
    local U, S, Vh = linalg.svd(x)
    return (U * S:cos()):matmul(Vh):sum()
  end, function(x)
    local U, S, Vh = linalg.svd(x:slice(2, 1, 3), {full_matrices = false})
    return (U * S:cos()):matmul(Vh):sum()
  end} do
    local h = tide.grad(fn)(B):sum():item()
    assert(h ~= h)
    assert(tide.gradcheck(fn, randn({4, 4}, 6)))
  end
end

-- A function of equal values that is 0 there looks as if it did not depend on the vectors.
tests["functions of equal values that are 0: NaN where that can be seen"] = function()
  local function log(x)
    local w, V = linalg.eigh(x)
    return (V * w:log()):matmul(V:transpose())
  end
  local function sin(x)
    local U, s, Vh = linalg.svd(x)
    return (U * s:sin()):matmul(Vh)
  end
  for _, row in ipairs{{log, tide.eye(2, F64)}, {sin, tide.zeros({2, 2}, F64)}} do
    local function of(C) return tide.grad(function(x) return (row[1](x) * f64(C)):sum() end)(row[2]) end
    local g = of{{1, 2}, {0.5, 3}}
    assert(g[1][2] ~= g[1][2] and g[2][1] ~= g[2][1])
    near(of{{2, 0}, {0, 2}}, f64{{2, 0}, {0, 2}}, 0)
    near(of{{0, 1}, {1, 0}}, tide.zeros({2, 2}, F64), 0) -- as help says; it is C
  end
  -- of vectors of other values, and of values that the loss tells apart
  local A = f64{{1, 0, 0}, {0, 1, 0}, {0, 0, 3}}
  local g = tide.grad(function(x)
    local w, V = linalg.eigh(x)
    return w:square():sum() + (V:select(-1, 3):square() * f64{1, 2, 3}):sum()
  end)(A)
  near(g, A * 2, 1e-13)
  near(tide.grad(function(x) return (linalg.eigh(x) * f64{1, 2, 3}):sum() end)(A):sum(), f64(6), 0)
  near(tide.grad(function(x) return linalg.svdvals(x)[2] end)(A):sum(), f64(1), 0)
end

tests["the gradient of a determinant is there for every matrix"] = function()
  local rows = {{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}, {{1, 2, 3}, {2, 4, 6}, {3, 6, 9}}, -- of rank 2, 1, 0
    {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}}, {{1, 2, 0}, {0, 1e-20, 6}, {7, 8, 9}},
    {{0, 1, 0}, {0, 0, 1}, {1, 0, 0}}}
  for _, A in ipairs(rows) do
    for _, dtype in ipairs{"float64", "float32"} do
      local x, want = tide.tensor(A, {dtype = dtype}), {}
      for i = 1, 3 do
        want[i] = {}
        for j = 1, 3 do -- of the rest, cyclic
          local a, b, c, d = i % 3 + 1, (i + 1) % 3 + 1, j % 3 + 1, (j + 1) % 3 + 1
          want[i][j] = A[a][c] * A[b][d] - A[a][d] * A[b][c]
        end
      end
      near(tide.grad(linalg.det)(x), tide.tensor(want, {dtype = dtype}), dtype == "float32" and 2e-5 or 3e-14)
    end
  end
  local batch = f64(rows)
  assert(tide.gradcheck(function(x) return (linalg.det(x) * f64{1, -2, 3, 0.5, 2}):sum() end, batch))
  near(select(2, tide.jvp(linalg.det, batch[1], batch[5])), f64(9), 1e-13)
  near(tide.grad(linalg.det)(f64{{0}}), f64{{1}}, 0)
  -- nearly singular: as exact as the rest
  local u = linalg.qr(randn({6, 6}, 3))
  local singular = (u * f64{3, 2, 1, 1, 1e-9, 1e-12}):matmul(linalg.qr(randn({6, 6}, 4)))
  local g = tide.grad(linalg.det)(singular)
  near(singular:transpose():matmul(g) / 6e-9, linalg.det(singular) / 6e-9 * tide.eye(6, F64), 1e-7)
  fails("tide.linalg.det: matrix 1 is singular, and there it has first derivatives only", tide.hessian,
    linalg.det, batch[1])
  check.survives(function() return tide.grad(linalg.det)(batch[1]):sum():item() end, 60, 1, 10)
end

tests["inside a field, sample by sample"] = function()
  local y0 = good({8, 3, 3}, 1)
  local function ends(y, options)
    local more = 4 * tide.eye(y:shape()[y:rank()], F64)
    return tide.odeint(function(_, z) return linalg.inv(z + more) end, y, {0, 1}, options)[2]
  end
  local together = ends(y0, {method = "rk4", steps = 4})
  for i = 1, 8, 7 do near(together[i], ends(y0[i], {method = "rk4", steps = 4}), 1e-15, "alone") end
  assert(tide.gradcheck(function(y) return ends(y, {method = "rk4", steps = 2}) end, good({2, 2, 2}, 1)))
  -- dX/dt = A X is e^(t A) X
  local A, X = randn({3, 3}, 2), randn({3, 3}, 3)
  local ys = tide.odeint(function(_, z) return A:matmul(z) end, X, {0, 1}, {rtol = 1e-10, atol = 1e-10})
  near(ys[2], linalg.matrix_exp(A):matmul(X), 1e-8, "e^A X")
end

-- ---- errors ----

tests["errors name the function that was called, at once, compiled and of a gradient"] = function()
  local eye, none, nan = tide.eye(2), tide.zeros{2, 2}, tide.tensor{{0 / 0, 1}, {1, 0}}
  local count = 0
  for name, fn in pairs(tide.linalg) do
    local function value(a) return (fn(a, eye)) end
    if name == "svd" then function value(a) return select(2, fn(a, {full_matrices = false})) end end
    if name == "qr" or name == "slogdet" then function value(a) local _, y = fn(a) return y end end
    for _, bad in ipairs{none, nan, tide.ones{3}, tide.zeros{3, 2}} do
      for _, call in ipairs{value, tide.compile(value), tide.grad(function(a) return value(a):sum() end)} do
        local ok, message = pcall(call, bad)
        local named = not ok and tostring(message):match("tide%.linalg%.([%w_]+)")
        assert(ok or named == name, name .. ": " .. tostring(message))
        count = count + (ok and 0 or 1)
      end
    end
  end
  assert(count > 80, count)
end

tests["what cannot be had is refused in words"] = function()
  local singular = f64{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}
  for _, A in ipairs{singular, f64{{1, 2}, {2, 4}}, f64{{0}}, tide.tensor{{1, 2}, {2, 4}},
    tide.stack{tide.eye(2, F64), f64{{1, 1}, {1, 1 + 1e-17}}}} do
    local words = ("matrix %d is singular"):format(A:rank() == 3 and 2 or 1)
    fails("tide.linalg.solve: " .. words, linalg.solve, A, A)
    fails("tide.linalg.inv: " .. words, linalg.inv, A)
    if A:rank() == 2 then fails("has not full rank", linalg.lstsq, A, A) end
  end
  fails("matrix 1 is singular", linalg.solve_triangular, f64{{1, 2}, {0, 0}}, f64{1, 2})
  fails("matrix 1 is not positive definite (its leading minor of order 2", linalg.cholesky,
    f64{{1, 2}, {2, 1}})
  fails("has an entry that is not finite", linalg.eigh, f64{{0 / 0, 1}, {1, 1}})
  fails("has an entry that is not finite", linalg.svd, f64{{math.huge, 1}, {1, 1}})
  fails("has an entry that is not finite", linalg.eigvals, f64{{math.huge, 1}, {1, 1}})
  for name in ("inv det slogdet logdet cholesky eigh eigvalsh eigvals matrix_exp"):gmatch("%S+") do
    local words = "tide.linalg.%s: expected a square matrix or a batch of them, {..., n, n}, got shape {2, 3}"
    fails(words:format(name), linalg[name], tide.ones{2, 3})
    fails("tide.linalg." .. name .. ": expected a tensor, got 3", linalg[name], 3)
  end
  for _, name in ipairs{"qr", "svd", "svdvals"} do
    fails(("tide.linalg.%s: expected a matrix or a batch of them, {..., m, n}, got shape {2}"):format(name),
      linalg[name], tide.ones{2})
  end
  fails("A of shape {2, 2} needs B of shape {..., 2} or {..., 2, k}, got {3}", linalg.solve, tide.eye(2),
    tide.ones{3})
  fails("A of shape {2, 2} needs B", linalg.solve_triangular, tide.eye(2), tide.ones{3, 1})
  fails("A of shape {4, 2} needs B of shape {..., 4}", linalg.lstsq, tide.ones{4, 2}, tide.ones{2, 1})
  fails("A of shape {4, 2} needs B of shape {..., 4} or {..., 4, k}, got {2}", linalg.lstsq, tide.ones{4, 2},
    tide.ones{2})
  fails('unknown option "full"', linalg.svd, tide.eye(2), {full = true})
  local function first(fn) return tide.grad(function(x) return fn(x):sum() end) end
  fails("tide.linalg.eigvals has no derivative", first(linalg.eigvals), tide.eye(2))
  fails("take {full_matrices = false}", first(function(x) return (linalg.svd(x)) end), tide.ones{3, 2})
  local nan = linalg.inv(f64{{0 / 0, 1}, {1, 1}}):sum():item()
  assert(nan ~= nan)
  local zero = linalg.matrix_exp(f64{{math.huge}}):item()
  assert(zero ~= zero)
end

return tests
