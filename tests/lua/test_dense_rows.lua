--- Values between the steps of gauss4, gauss6, radau3 and radau5: implicit stages behind the others, made in
-- steps in which somebody looks. Their order conditions: test_tableau.lua.

local tide = require "tide"
local check = require "check"

local tests = {}
local F64 = {dtype = "float64"}
local with, near = check.with, check.near
local coupled = {"gauss4", "gauss6", "radau3", "radau5"}
local rows = {}
for _, m in ipairs(tide.ode.methods()) do rows[m.name] = m end

local function f64(x) return tide.tensor(x, F64) end
local function distance(a, b) return (a - b):abs():max():item() end

-- y(t) in each of `steps` equal steps over [0, 4], and at their ends; how far off y' = -y cos t is.
local function errors(method, steps)
  local times, ends = {0}, {0}
  for i = 1, steps do
    for _, theta in ipairs{0.1, 0.25, 0.4, 0.6, 0.75, 0.9} do
      times[#times + 1] = (i - 1 + theta) * 4 / steps
    end
    ends[i + 1] = 4 * i / steps
  end
  times[#times + 1] = 4
  local function off(at)
    local want = tide.exp(-tide.sin(f64(at)))
    return distance(tide.odeint(function(t, y) return -y * tide.cos(t) end, f64(1), at,
      {method = method, steps = steps}), want)
  end
  return off(ends), off(times)
end

tests["the order that the list says, and how far off beside the ends on a smooth problem"] = function()
  local ratio = {gauss4 = 15, gauss6 = 30, radau3 = 1.5, radau5 = 7}
  for _, name in ipairs(coupled) do
    local at_end, coarse = errors(name, 20)
    local finer_end, fine = errors(name, 40)
    local slope = math.log(coarse / fine, 2)
    assert(slope > math.min(rows[name].order, rows[name].dense_order + 1) - 0.2, name .. slope)
    assert(fine < ratio[name] * finer_end and coarse < ratio[name] * at_end, name .. fine / finer_end)
  end
end

-- What is left at theta of y' = z y, y = 1, for z = x or z = i x, from the coefficients alone.
local function growth(m, theta, x, imaginary)
  local A, w = {}, tide.core.ode_dense_weights(m.name, theta)
  local n = #w
  for i = 1, n do
    local row = m.A[i] or m.extra.A[i - m.stages]
    for j = 1, n do A[(i - 1) * n + j] = row[j] or 0 end
  end
  A = f64(A):reshape{n, n}
  local one, eye = tide.ones({n}, F64), tide.eye(n, F64)
  if not imaginary then
    return math.abs(1 + x * (f64(w) * tide.linalg.solve(eye - x * A, one)):sum():item())
  end
  -- (I - z A)^-1 = (I + z A) (I - z^2 A^2)^-1
  local inverse = tide.linalg.solve(eye + x * x * (A:matmul(A)), one)
  local re, im = (f64(w) * inverse):sum():item(), (f64(w) * A:matmul(inverse)):sum():item()
  return math.sqrt((1 - x * x * im) ^ 2 + (x * re) ^ 2)
end

tests["no decay and no oscillation, however fast, grows between the ends"] = function()
  for _, name in ipairs(coupled) do
    for _, theta in ipairs{0.05, 0.2, 0.4, 0.6, 0.8, 0.95} do
      for _, x in ipairs{-0.1, -1, -10, -1e3, -1e6} do
        assert(growth(rows[name], theta, x) < 1 and growth(rows[name], theta, -x, true) < 1.01, name)
      end
    end
  end
end

-- Stiff around the odd multiples of pi / 2.
local function pulses(t, y) return -(1e4 * tide.sin(t) ^ 8 + 1) * (y - tide.cos(3 * t)) end

tests["stiff pulses: no more than ten times as far off as the ends, or ten tolerances"] = function()
  for _, name in ipairs{"radau3", "radau5", "auto"} do
    for _, tol in ipairs{1e-3, 1e-5, 1e-7} do
      local sol = tide.ode.solution(pulses, f64{2}, {0, 8}, {method = name, rtol = tol, atol = tol})
      local between = {0}
      for i = 2, #sol.t do
        for _, theta in ipairs{0.07, 0.2, 0.35, 0.5, 0.65, 0.8, 0.93} do
          between[#between + 1] = sol.t[i - 1] + theta * (sol.t[i] - sol.t[i - 1])
        end
      end
      local function off(times)
        local want = tide.odeint(pulses, f64{2}, times, {method = "radau5", rtol = 1e-11, atol = 1e-11})
        return distance(sol(times), want) / tol
      end
      local ends, inside = off(sol.t), off(between)
      assert(inside < 10 * math.max(ends, 1), ("%s at %g: %g at the ends, %g"):format(name, tol, ends,
        inside))
    end
  end
end

local function oscillator(p)
  return function(t, y) return tide.stack{y[2], p * ((1 - y[1] * y[1]) * y[2]) - y[1] * tide.cos(t)} end
end
local function point() return {p = f64(3), y = f64{2, 0.3}} end
local inside = {0, 0.13, 0.29, 0.31, 0.77, 1}
local function loss(o)
  local weights = f64{1, 2, 3, -1, 0.5, 1}:reshape{6, 1}
  return function(q) return (tide.odeint(oscillator(q.p), q.y, inside, o) * weights):square():sum() end
end

tests["nobody who looks changes a step; what it costs"] = function()
  for _, o in ipairs{{method = "radau3"}, {method = "radau5"}, {method = "auto"},
    {method = "radau5", jacobian = "krylov"}, {method = "gauss6", steps = 9}, {method = "radau5", steps = 9},
    {method = "radau5", steps = 9, newton_tol = 1e-3}} do
    local all = o.steps and o or with(o, {rtol = 1e-6, atol = 1e-6})
    local f, many = oscillator(f64(100)), {}
    for i = 0, 1000 do many[i + 1] = i / 500 end
    local ys, s = tide.odeint(f, f64{2, 0}, {0, 2}, all)
    local zs, r = tide.odeint(f, f64{2, 0}, many, all)
    assert(distance(ys[2], zs[1001]) == 0 and s.accepted == r.accepted and s.rejected == r.rejected)
    if not o.steps then
      assert(s.jacobians == r.jacobians and s.factorizations == r.factorizations)
      assert(r.nfe > s.nfe and r.nfe - s.nfe <= 2.7 * s.accepted, (r.nfe - s.nfe) / s.accepted)
    end
    local sol = tide.ode.solution(f, f64{2, 0}, {0, 2}, all)
    assert(distance(sol(many), zs) < 1e-13)
    assert(distance(sol(many):slice(1, 1001, 1001), ys:slice(1, 2, 2)) == 0)
  end
end

tests["plain fields: each call is counted, those for values inside too"] = function()
  for _, name in ipairs{"radau5", "radau3"} do
    local calls = 0
    local _, s = tide.odeint(function(t, y)
      calls = calls + 1
      return {y[2], 5 * (1 - y[1] ^ 2) * y[2] - y[1] * math.cos(t)}
    end, {2, 0}, inside, {method = name, plain = true, rtol = 1e-5, atol = 1e-5})
    assert(s.nfe == calls)
  end
end

tests["gradients: of a grid exact; checkpoints to the bit; the others to the tolerance"] = function()
  for _, name in ipairs(coupled) do
    for _, gradient in ipairs{"direct", "checkpoint", "forward"} do
      assert(tide.gradcheck(loss{method = name, steps = 3, gradient = gradient}, point()), name .. gradient)
    end
    local function second(q) return tide.grad(loss{method = name, steps = 3})(q).p:sum() end
    assert(tide.gradcheck(second, point()), name)
    assert(tide.gradcheck(function(t)
      return tide.odeint(oscillator(f64(3)), f64{2, 0.3}, t, {method = name, steps = 3}):square():sum()
    end, f64(inside)), name)
  end
  local want = tide.grad(loss{method = "dopri8", rtol = 1e-12, atol = 1e-12})(point())
  for _, o in ipairs{{method = "gauss4", steps = 40}, {method = "gauss6", steps = 40}, {method = "radau3"},
    {method = "radau5"}, {method = "auto"}, {method = "radau5", jacobian = "krylov"}} do
    local all = o.steps and o or with(o, {rtol = 1e-6, atol = 1e-6})
    local direct = tide.grad(loss(all))(point())
    for _, more in ipairs{{checkpoint_steps = 1}, {checkpoint_steps = 3}, {checkpoints = 2}} do
      local kept = tide.grad(loss(with(all, with(more, {gradient = "checkpoint"}))))(point())
      assert(distance(direct.y, kept.y) == 0 and distance(direct.p, kept.p) == 0, all.method)
    end
    for _, gradient in ipairs{"direct", "interpolated", "adjoint"} do
      local got = tide.grad(loss(with(all, {gradient = gradient})))(point())
      near(distance(got.y, want.y), 0, 1e-4, all.method .. gradient)
      near(distance(got.p, want.p), 0, 1e-4, all.method .. gradient)
    end
  end
end

tests["samples with steps of their own have the bits of each alone, their gradients too"] = function()
  local rates, y0 = f64{{1}, {100}, {3e4}}, f64{{1}, {0.5}, {2}}
  local o = {method = "radau5", rtol = 1e-5, atol = 1e-5}
  local function solve(y, rate, more)
    return tide.odeint(function(t, x) return -rate * (x - tide.cos(t)) end, y, inside, with(o, more or {}))
  end
  local ys = solve(y0, rates, {per_sample = true})
  local bar = tide.grad(function(y) return solve(y, rates, {per_sample = true}):sin():sum() end)(y0)
  for i = 1, 3 do
    local y, rate = y0:slice(1, i, i), rates:slice(1, i, i)
    assert(distance(ys:slice(2, i, i), solve(y, rate)) == 0)
    assert(distance(bar:slice(1, i, i), tide.grad(function(x) return solve(x, rate):sin():sum() end)(y)) == 0)
  end
end

-- Where f jumps a stage may have no solution: 0.5 is above what f leads to from below, and below that from
-- above.
tests["steps in which such a stage has no solution have the polynomial of the others, and are counted"] =
function()
  local function f(_, y) return tide.where(tide.lt(y, 0.5), 3, 1) + 0 * y end
  local times, unrefined = {}, 0
  for i = 0, 50 do times[i + 1] = i / 50 end
  for start = 0, 0.45, 0.05 do
    local o = {method = "radau5", rtol = 1e-3, atol = 1e-3}
    local function solve(more)
      return function(y) return tide.odeint(f, y, times, with(o, more or {})) end
    end
    local ys, s = solve()(f64{start})
    local turn = (0.5 - start) / 3
    for i, t in ipairs(times) do near(ys[i][1], t < turn and start + 3 * t or 0.5 + t - turn, 1e-2) end
    unrefined = unrefined + (s.unrefined or 0)
    local function gradient(more)
      return tide.grad(function(y) return (solve(more)(y)):sum() end)(f64{start})
    end
    assert(distance(gradient(), gradient{gradient = "checkpoint", checkpoint_steps = 3}) == 0)
  end
  assert(unrefined > 0)
  local _, s = tide.odeint(oscillator(f64(3)), f64{2, 0}, inside, {method = "radau5"})
  assert(s.unrefined == nil)
end

tests["float32, events, steps that are asked for y inside them"] = function()
  local tight = {method = "dopri8", rtol = 1e-11, atol = 1e-11}
  local want = tide.odeint(oscillator(f64(3)), f64{2, 0.3}, inside, tight)
  for _, name in ipairs(coupled) do
    local o = rows[name].adaptive and {method = name, rtol = 1e-4, atol = 1e-4} or {method = name, steps = 20}
    local single = tide.odeint(oscillator(tide.tensor(3)), tide.tensor{2, 0.3}, inside, o)
    assert(single:dtype() == "float32" and distance(single:to "float64", want) < 3e-3, name)
    local _, s = tide.odeint(oscillator(f64(3)), f64{2, 0.3}, {0, 1}, with(o, {
      events = {{g = function(_, y) return y[1] - 1.9 end, terminal = true}}}))
    near(tide.odeint(oscillator(f64(3)), f64{2, 0.3}, {0, s.events[1].t}, tight)[2][1], 1.9, 1e-3, name)
    for step in tide.ode.steps(oscillator(f64(3)), f64{2, 0.3}, {0, 1}, o) do
      if step.t > 0.3 then near(distance(step:at(step.t), step.y), 0, 1e-12) break end
    end
  end
end

return tests
