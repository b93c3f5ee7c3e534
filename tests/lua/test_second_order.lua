-- Jacobians, Hessians, and products with Hessians and Gauss-Newton matrices; second derivatives through
-- solves of every method.
local check = require "check"
local tide = require "tide"

local F64 = {dtype = "float64"}
local tests = {}

local function f64(v) return tide.tensor(v, F64) end
local function randn(shape, seed) return tide.randn(shape, {dtype = "float64", seed = seed}) end
local function near(a, b, limit, what)
  assert(table.concat(a:shape(), ",") == table.concat(b:shape(), ","), (what or "") .. ": shapes differ")
  local off = a:numel() > 0 and (a - b):abs():max():item() or 0
  assert(off <= limit, ("%s: off by %g"):format(what or "", off))
end
local fails = check.fails

-- Central differences of a function of one vector that gives a vector.
local function differences(fn, x, h)
  local columns = {}
  for i = 1, #x do
    local e = f64{1}:broadcast_to{#x} * tide.one_hot(tide.tensor(i, {dtype = "int64"}), #x, F64)
    columns[i] = (fn(x + e * h) - fn(x - e * h)) / (2 * h)
  end
  return tide.stack(columns, 2)
end

local function parameters() return {a = randn({2, 3}, 1), b = {randn({3}, 2), "text", 7}} end
local function model(p)
  local s = (p.a * p.b[1]):sin()
  return {u = s:sum(1), v = (s:exp():sum() * p.b[1]:square()):reshape{3, 1}}
end
-- The same as a vector of the vector of all parameters.
local function flat_model(x)
  local y = model{a = x:slice(1, 1, 6):reshape{2, 3}, b = {x:slice(1, 7, 9)}}
  return tide.cat{y.u, y.v:reshape{3}}
end
local function flat(p)
  return tide.cat{p.a:reshape{-1}, p.b[1]}
end

tests["a Jacobian by rows and by columns, of tensors and of tables of them"] = function()
  local p = parameters()
  local want = differences(flat_model, flat(p), 1e-6)
  for _, by in ipairs{"rows", "columns", "auto"} do
    near(tide.jacobian(model, p, {flat = true, by = by}), want, 1e-8, by)
    local J = tide.jacobian(model, p, {by = by})
    near(J.u.a, want:slice(1, 1, 3):slice(2, 1, 6):reshape{3, 2, 3}, 1e-8, by .. ", u by a")
    near(J.v.b[1], want:slice(1, 4, 6):slice(2, 7, 9):reshape{3, 1, 3}, 1e-8, by .. ", v by b")
    assert(J.u.b[2] == "text" and J.u.b[3] == 7)
  end
  -- as functions, with constants behind p
  local J = tide.jacobian(function(x, c) return x * c end)(f64{1, 2}, f64{3, 4})
  near(J, f64{{3, 0}, {0, 4}}, 0)
  near(tide.jacobian(function(x) return x:sum() end, f64{1, 2}), f64{1, 1}, 0)
  near(tide.jacobian(function(x) return x * f64{1, 2} end, f64(3)), f64{1, 2}, 0)
end

tests["more unknowns than a pass has room for"] = function()
  local A, x = randn({70, 45}, 3), randn({45}, 4)
  local function fn(v) return A:matmul(v:reshape{45, 1}):reshape{70} end
  for _, by in ipairs{"rows", "columns"} do near(tide.jacobian(fn, x, {by = by}), A, 1e-14, by) end
end

tests["dtypes, what is not a float, and nothing at all"] = function()
  local x = tide.ones{2}
  for _, by in ipairs{"rows", "columns"} do
    local J = tide.jacobian(function(v) return v:to("float64") * 2 end, x, {by = by})
    assert(J:dtype() == "float32" and J:sum():item() == 4)
    local none = tide.jacobian(function(v) return v:slice(1, 2, 1) end, x, {by = by})
    assert(table.concat(none:shape(), ",") == "0,2")
    none = tide.jacobian(function(v) return v:sum() * x end, tide.zeros{0}, {by = by})
    assert(table.concat(none:shape(), ",") == "2,0")
  end
  local J = tide.jacobian(function(v) return {y = v, at = v:argmax()} end, x)
  assert(J.at == nil and J.y:sum():item() == 2)
  local p = {x = x, n = tide.tensor({1}, {dtype = "int64"})}
  local H = tide.hessian(function(q) return q.x:square():sum() end, p)
  assert(H.x.x:sum():item() == 4 and H.x.n:item() == 1)
end

tests["inside recordings: compiled, and differentiated again"] = function()
  local function fn(x) return (x:sin() * x:sum()):exp() end
  local x = f64{0.3, -0.2, 0.1}
  for _, by in ipairs{"rows", "columns"} do
    local function J(v) return tide.jacobian(fn, v, {by = by}) end
    near(tide.compile(J)(x), J(x), 1e-14, "compiled")
    assert(tide.gradcheck(J, x))
    assert(tide.gradcheck(function(c)
      return tide.jacobian(function(v) return (v * c):sin() end, x, {by = by})
    end, x), "captured")
  end
  local function loss(v) return fn(v):square():sum() end
  assert(tide.gradcheck(function(v) return tide.hessian(loss, v) end, x))
  near(tide.compile(tide.hessian(loss))(x), tide.hessian(loss, x), 1e-12)
  assert(tide.gradcheck(function(v) return select(2, tide.hvp(loss, v, v * v)) end, x))
  assert(tide.gradcheck(function(v) return select(2, tide.gauss_newton(fn, v, v * v)) end, x))
end

tests["Hessians and products with them"] = function()
  local p = parameters()
  local function loss(q)
    local y = model(q)
    return y.u:square():sum() + (y.v:sum() * 0.1):tanh() * y.u:sum()
  end
  local function flat_loss(x)
    return loss{a = x:slice(1, 1, 6):reshape{2, 3}, b = {x:slice(1, 7, 9)}}
  end
  local want = differences(tide.grad(flat_loss), flat(p), 1e-5)
  local size = want:abs():max():item()
  local H = tide.hessian(loss, p, {flat = true})
  near(H, want, 1e-8 * size, "flat")
  near(H, H:transpose(), 1e-13 * size, "symmetric")
  near(tide.hessian(loss, p).b[1].a, H:slice(1, 7, 9):slice(2, 1, 6):reshape{3, 2, 3}, 0, "block")
  local v = {a = randn({2, 3}, 8), b = {randn({3}, 9), "text", 7}}
  local y, hv = tide.hvp(loss, p, v)
  near(y, loss(p), 1e-12)
  near(flat(hv), H:matmul(flat(v):reshape{9, 1}):reshape{9}, 1e-12 * size, "product")
end

tests["products with Gauss-Newton matrices"] = function()
  local p, v = parameters(), {a = randn({2, 3}, 8), b = {randn({3}, 9), "text", 7}}
  local J = tide.jacobian(model, p, {flat = true})
  local x = flat(v):reshape{9, 1}
  local y, gv = tide.gauss_newton(model, p, v)
  near(y.u, model(p).u, 0)
  local want = J:transpose():matmul(J:matmul(x)):reshape{9}
  near(flat(gv), want, 1e-13 * want:abs():max():item(), "half the sum of squares")
  local function loss(out) return out.u:square():square():sum() + (out.u * out.v:sum()):sum() end
  local H = tide.hessian(loss, model(p), {flat = true})
  gv = select(2, tide.gauss_newton(model, p, v, {loss = loss}))
  want = J:transpose():matmul(H:matmul(J:matmul(x))):reshape{9}
  near(flat(gv), want, 1e-12 * want:abs():max():item(), "loss")
end

-- ---- solves ----

local function field(p) return function(t, y) return (y:matmul(p.w) + p.b * t):tanh() - y * 0.3 end end
local function solve_parameters()
  return {y0 = f64{{0.5, -0.3}, {1.1, 0.2}}, w = f64{{0.3, -0.8}, {0.7, 0.2}}, b = f64{0.1, -0.2}}
end
local function loss_of(opts)
  return function(p)
    local ys = tide.odeint(field(p), p.y0, {0, 0.4, 1}, opts)
    return ys:square():sum() + ys:sin():sum()
  end
end
local function moved(p, v, h) return {y0 = p.y0 + v.y0 * h, w = p.w + v.w * h, b = p.b + v.b * h} end
local directions = {y0 = randn({2, 2}, 5), w = randn({2, 2}, 6), b = randn({2}, 7)}

local function same(a, b, limit, what)
  for key in pairs(a) do near(a[key], b[key], limit, what .. ", " .. key) end
end

tests["grad of grad and jvp of vjp through every method on a grid, against differences"] = function()
  local p, v, h, tried = solve_parameters(), directions, 1e-5, 0
  for _, m in ipairs(tide.ode.methods()) do
    if m.family ~= "symplectic" and not m.name:find("^adams$") and m.name ~= "auto" then
      for _, gradient in ipairs{"direct", "checkpoint"} do
        local loss = loss_of{method = m.name, steps = 6, gradient = gradient}
        local g = tide.grad(loss)
        local what = m.name .. ", " .. gradient
        local above, below, want = g(moved(p, v, h)), g(moved(p, v, -h)), {}
        for key in pairs(p) do want[key] = (above[key] - below[key]) / (2 * h) end
        local _, by_reverse = tide.hvp(loss, p, v)
        same(by_reverse, want, 1e-7, what)
        same(select(2, tide.jvp(g, p, v)), by_reverse, 1e-12, what .. ": forward over reverse")
        local by_forward = tide.grad(function(q) return select(2, tide.jvp(loss, q, v)) end)(p)
        same(by_forward, by_reverse, 1e-12, what .. ": reverse over forward")
        tried = tried + 1
      end
    end
  end
  assert(tried >= 50)
end

tests["second derivatives of steps that adapt tend to those of the solution"] = function()
  local p, v = solve_parameters(), directions
  local _, want = tide.hvp(loss_of{method = "dopri8", steps = 40}, p, v)
  for _, o in ipairs{{method = "kvaerno5"}, {method = "radau5"}, {method = "kvaerno5", jacobian = "krylov"},
    {method = "bdf"}, {method = "dopri8", per_sample = true}, {method = "kvaerno5", per_sample = true}} do
    o.rtol, o.atol = 1e-9, 1e-9
    same(select(2, tide.hvp(loss_of(o), p, v)), want, 1e-4, o.method)
    o.gradient = "adjoint"
    if not o.per_sample then
      same(select(2, tide.hvp(loss_of(o), p, v)), want, 1e-5, o.method .. ", adjoint")
    end
  end
end

-- Of both ends of the span, beside all else.
tests["second derivatives by two times, against differences"] = function()
  local function loss_with(o)
    return function(p)
      local ys = tide.odeint(field(p), p.y0, p.t, o)
      return ys:square():sum() + ys:sin():sum() * p.t[2]
    end
  end
  local p, v, h = solve_parameters(), {t = f64{0.4, -0.7}}, 1e-5
  p.t = f64{0.3, 1.1}
  for key, value in pairs(directions) do v[key] = value end
  local function at(c)
    local q = moved(p, v, c)
    q.t = p.t + v.t * c
    return q
  end
  local grids, tried = tide.ode.methods(), 0
  local function compare(o, limit, what)
    local loss = loss_with(o)
    local g = tide.grad(loss)
    local above, below, want = g(at(h)), g(at(-h)), {}
    for key in pairs(p) do want[key] = (above[key] - below[key]) / (2 * h) end
    local _, hv = tide.hvp(loss, p, v)
    same(hv, want, limit, what)
    local _, slope = tide.jvp(loss, p, v)
    check.near(slope:item(), (loss(at(h)):item() - loss(at(-h)):item()) / (2 * h), limit, what .. ", jvp")
    tried = tried + 1
  end
  for _, m in ipairs(grids) do
    if not (m.family == "symplectic" or m.family == "multistep" or m.name == "auto") then
      compare({method = m.name, steps = 4}, 1e-7, m.name)
    end
  end
  for _, o in ipairs{{}, {per_sample = true}, {method = "radau5"}, {gradient = "adjoint"},
                     {gradient = "checkpoint"}} do
    o.rtol, o.atol = 1e-9, 1e-9
    compare(o, 1e-5, o.method or o.gradient or "dopri5")
  end
  assert(tried > 25, tried)
end

tests["of the times alone, backwards: y = y0 exp((t0^2 - t1^2) / 2)"] = function()
  local H = tide.hessian(function(t)
    return tide.odeint(function(s, y) return -y * s end, f64{2}, t, {method = "dopri8", steps = 20})[2]:sum()
  end, f64{1.1, 0.3})
  local y = 2 * math.exp((1.1 ^ 2 - 0.3 ^ 2) / 2)
  near(H, f64{{y * (1.1 ^ 2 + 1), -y * 0.33}, {-y * 0.33, y * (0.3 ^ 2 - 1)}}, 1e-9)
end

tests["symplectic steps"] = function()
  local function loss(p)
    local ys = tide.odeint(function(_, z) return {q = z.p * p.m, p = -(z.q:sin())} end,
      {q = p.q, p = p.p}, {0, 1}, {method = "leapfrog_verlet", steps = 8})
    return (ys.q * ys.p):sum() + ys.q:square():sum()
  end
  local p = {q = f64{0.4, 1}, p = f64{0.2, -0.5}, m = f64(1.3)}
  local H = tide.hessian(loss, p, {flat = true})
  local function flat_loss(x) return loss{m = x:select(1, 1), p = x:slice(1, 2, 3), q = x:slice(1, 4, 5)} end
  near(H, differences(tide.grad(flat_loss), f64{1.3, 0.2, -0.5, 0.4, 1}, 1e-5), 1e-8)
end

tests["as many tensors as a state may have, to the third order"] = function()
  local function loss(p)
    local y0 = {}
    for i = 1, 64 do y0[i] = p * (i / 64) end
    local ys = tide.odeint(function(_, y)
      local dy = {}
      for i = 1, 64 do dy[i] = y[i] * y[i % 64 + 1] end
      return dy
    end, y0, {0, 0.5}, {method = "rk4", steps = 4})
    return ys[64][2]:sum() + ys[1][2]:square():sum()
  end
  local p, h = f64{0.5, 0.7}, 1e-4
  local function second(q) return tide.grad(function(x) return tide.grad(loss)(x):sum() end)(q) end
  local g = tide.grad(loss)
  near(second(p), (g(p + h) - g(p - h)) / (2 * h), 1e-6)
  near(tide.grad(function(q) return second(q):sum() end)(p), (second(p + h) - second(p - h)) / (2 * h), 1e-6)
end

tests["matrices through solves"] = function()
  local p = solve_parameters()
  local function ends(q) return tide.odeint(field(q), q.y0, {0, 1}, {method = "radau5", steps = 4})[2] end
  local rows, columns = tide.jacobian(ends, p, {flat = true, by = "rows"}),
    tide.jacobian(ends, p, {flat = true, by = "columns"})
  near(rows, columns, 1e-13)
  local function loss(q) return (ends(q) - 0.3):square():sum() * 0.5 end
  local H = tide.hessian(loss, p, {flat = true})
  local v = tide.cat{directions.b, directions.w:reshape{4}, directions.y0:reshape{4}}:reshape{10, 1}
  local _, hv = tide.hvp(loss, p, directions)
  near(tide.cat{hv.b, hv.w:reshape{4}, hv.y0:reshape{4}}:reshape{10, 1}, H:matmul(v), 1e-13)
  local _, gv = tide.gauss_newton(ends, p, directions)
  near(tide.cat{gv.b, gv.w:reshape{4}, gv.y0:reshape{4}}:reshape{10, 1},
    rows:transpose():matmul(rows:matmul(v)), 1e-13)
end

tests["a pass runs a solve once, however many rows it has"] = function()
  local p, nfe = solve_parameters(), 0
  local once = select(2, tide.odeint(field(p), p.y0, {0, 1}, {method = "rk4", steps = 5})).nfe
  local stats = tide.ode.counted(function()
    return tide.jacobian(function(y) return tide.odeint(field(p), y, {0, 1}, {method = "rk4", steps = 5}) end,
      p.y0, {by = "rows"}) -- 8 rows, 3 to a pass
  end)
  nfe = stats.nfe
  assert(nfe == 3 * once, nfe)
end

tests["what cannot be had is refused in words"] = function()
  local x = f64{1, 2}
  fails("tide.jacobian: expected a function, got 3", tide.jacobian, 3)
  fails("the first argument must be a float tensor", tide.jacobian, tide.sin, 3)
  fails("must return a float tensor", tide.jacobian, function() return 1 end, x)
  fails('by must be "auto", "rows" or "columns", got "row"', tide.jacobian, tide.sin, x, {by = "row"})
  fails('unknown option "flatt" (did you mean "flat"?)', tide.hessian, tide.sin, x, {flatt = true})
  fails("tide.hessian: the function must return a scalar, got shape {2}", tide.hessian, tide.sin, x)
  fails("part 1 of the vector must have shape {2} (float64) as p has, got {3} (float64)", tide.hvp,
    function(v) return v:sum() end, x, f64{1, 2, 3})
  fails("p has 1 float tensors, the vector has 0", tide.gauss_newton, tide.sin, x, {})
  fails("gauss_newton, loss: the function must return a scalar", tide.gauss_newton, tide.sin, x, x,
    {loss = tide.sin})
  fails("take {flat = true}", tide.jacobian, tide.sin, tide.ones{1, 1, 1, 1, 1})
  assert(tide.jacobian(tide.sin, tide.ones{1, 1, 1, 1, 1}, {flat = true}):numel() == 1)
  assert(not tide.core.is_recording())
end

return tests
