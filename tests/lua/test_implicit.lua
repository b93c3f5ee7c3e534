-- Implicit and multistep methods with constant steps: stiff problems, Newton, gradients, everything that
-- explicit methods can be asked for.

local check = require "check"
local tide = require "tide"

local near, fails = check.near, check.fails
local F64 = {dtype = "float64"}
local implicit, adaptive, rows = {}, {}, {}
for _, m in ipairs(tide.ode.methods()) do
  rows[m.name] = m
  if m.implicit and not m.varies then implicit[#implicit + 1] = m.name end
  if m.implicit and m.adaptive then adaptive[#adaptive + 1] = m.name end
end

local tests = {}

local function distance(a, b) return (a - b):abs():max():item() end

-- Van der Pol's oscillator with a forcing; p {2}.
local function oscillator(p)
  return function(t, y)
    return tide.stack{y[2], p[1] * (1 - y[1] * y[1]) * y[2] - y[1] + p[2] * tide.sin(t)}
  end
end
local function point() return {p = tide.tensor({1.5, 0.3}, F64), y = tide.tensor({1.2, -0.4}, F64)} end
local times = {0, 0.31, 0.33, 0.9, 1}
local function loss(o)
  return function(q) return tide.odeint(oscillator(q.p), q.y, times, o):sin():sum() end
end
local with = check.with

tests["they are there and say what they are"] = function()
  for _, name in ipairs{"implicit_euler", "implicit_midpoint", "trapezoid", "theta", "gauss4", "gauss6"} do
    assert(rows[name].family == "implicit" and not rows[name].adaptive, name)
  end
  for _, name in ipairs{"sdirk2", "trbdf2", "kvaerno3", "kvaerno5", "radau3", "radau5"} do
    assert(rows[name].family == "implicit" and rows[name].adaptive and #rows[name].gradients >= 4, name)
  end
  assert(rows.bdf.family == "multistep" and rows.dopri5.family == "explicit" and not rows.dopri5.implicit)
  assert(rows.bdf.order == 6 and rows.bdf.default_order == 2 and not rows.bdf.b and rows.bdf.begins
    and #rows.sdirk2.A[1] == 2)
end

tests["stiff: Prothero-Robinson with 50 steps, where explicit ones need a million"] = function()
  local function f(t, y) return -1e6 * (y - tide.cos(t)) - tide.sin(t) end
  for name, tolerance in pairs{sdirk2 = 1e-7, implicit_midpoint = 1e-3, bdf = 1e-7} do
    near(tide.odeint(f, tide.ones({1}, F64), {0, 1}, {method = name, steps = 50})[2][1], math.cos(1),
      tolerance)
  end
end

tests["stiff: Robertson keeps its sum, plain and eager as well"] = function()
  local function f(_, y)
    local a, b, c = 0.04 * y[1], 1e4 * y[2] * y[3], 3e7 * y[2] * y[2]
    return {b - a, a - b - c, c}
  end
  local function recorded(t, y) return tide.stack(f(t, y)) end
  for _, name in ipairs{"sdirk2", "bdf"} do
    local o = {method = name, steps = 2000}
    local y = tide.odeint(recorded, tide.tensor({1, 0, 0}, F64), {0, 40}, o)[2]
    near(y[1], 0.7158271, 1e-5)
    near(y:sum():item(), 1, 1e-12)
    local plain, stats = tide.odeint(f, {1, 0, 0}, {0, 40}, with(o, {plain = true}))
    assert(distance(plain[2], y) < 1e-7 and stats.steps == 2000) -- the Jacobian comes from differences
    assert(distance(tide.odeint(recorded, tide.tensor({1, 0, 0}, F64), {0, 40}, with(o, {eager = true}))[2],
      y) < 1e-7)
  end
end

tests["direct and checkpointed gradients: the derivative of the steps, shortened last ones and outputs "
  .. "inside included"] = function()
  for _, name in ipairs(implicit) do
    for _, grid in ipairs{{steps = 20}, {step_size = 0.07}, {steps = 1}, {step_size = -1}} do
      if grid.step_size ~= -1 then
        local o = with({method = name}, grid)
        local ok, worst = tide.gradcheck(loss(o), point(), {tolerance = 1e-7})
        assert(ok, name .. ": " .. worst)
        local direct = tide.grad(loss(o))(point())
        for _, k in ipairs{1, 2, 3, 7, 21, 1000} do
          local kept = tide.grad(loss(with(o, {gradient = "checkpoint", checkpoint_steps = k})))(point())
          assert(distance(direct.p, kept.p) == 0 and distance(direct.y, kept.y) == 0, name .. ", every " .. k)
        end
      end
    end
    -- backwards in time, and second derivatives through the steps
    local function back(q)
      return tide.odeint(oscillator(q.p), q.y, {1, 0.4, 0}, {method = name, steps = 9}):sin():sum()
    end
    assert(tide.gradcheck(back, point(), {tolerance = 1e-7}))
    assert(tide.gradcheck(function(q) return tide.grad(loss{method = name, steps = 6})(q).p end, point(),
      {tolerance = 1e-6}), name)
  end
end

tests["the continuous adjoint and the interpolated one converge to it"] = function()
  for _, name in ipairs(implicit) do
    for _, gradient in ipairs{"adjoint", "interpolated"} do
      local function off(steps)
        local o = {method = name, steps = steps}
        local want = tide.grad(loss{rtol = 1e-11, atol = 1e-11})(point())
        return distance(tide.grad(loss(with(o, {gradient = gradient, reconstruction_limit = 1e9})))(
          point()).p, want.p)
      end
      local coarse, fine = off(40), off(160)
      local factor = rows[name].order == 1 and 3.8 or 6
      assert(fine < coarse / factor and fine < 1e-2 or fine < 1e-9,
        ("%s, %s: %g, then %g"):format(name, gradient, coarse, fine))
    end
  end
end

tests["batches, tiles, tables of states, both dtypes; systems that LAPACK solves"] = function()
  local a = tide.tensor({{-1, 0.5}, {0.2, -30}}, F64)
  for _, dtype in ipairs{"float32", "float64"} do
    for _, n in ipairs{1, 3, 40} do -- 80 unknowns are more than the engine's own loops take
      local x, m = tide.randn({n, 2}, {seed = 2, dtype = dtype}), a:to(dtype)
      local function f(_, y) return y:matmul(m) end
      local want = tide.odeint(f, x, {0, 1}, {method = "dopri8", steps = 400})[2]
      for _, name in ipairs(implicit) do
        local got = tide.odeint(f, x, {0, 1}, {method = name, steps = 300})[2]
        assert(distance(got, want) < 2e-3, name)
      end
    end
  end
  local x = tide.randn({40, 2}, {seed = 2, dtype = "float64"})
  assert(tide.gradcheck(
    function(m) return tide.odeint(function(_, y) return y:matmul(m):sin() end, x, {0, 1},
      {method = "bdf", steps = 30})[2] end, a))
  local function pair(_, s) return {u = -30 * s.u + s.v:sum(), v = -s.v} end
  local s0 = {u = tide.ones({2}, F64), v = tide.ones({3}, F64)}
  local want = tide.odeint(pair, s0, {0, 1}, {rtol = 1e-10, atol = 1e-12})
  local got = tide.odeint(pair, s0, {0, 1}, {method = "sdirk2", steps = 200})
  assert(distance(got.u[2], want.u[2]) < 1e-4 and distance(got.v[2], want.v[2]) < 1e-4)
end

tests["in a model that trains, compiled, the same for any number of threads"] = function()
  local core = require "tide.core"
  local before, losses = core.threads(), {}
  for _, n in ipairs{1, 2} do
    core.threads(n)
    local data = tide.data.spheres{dim = 2, inner = 20, outer = 40, seed = 1}
    local model = tide.nn.odenet{dim = 2, hidden = 8, augment = 1, seed = 1,
      solver = {method = "sdirk2", steps = 3}}
    local history = tide.train{model = model, data = data, optimizer = tide.optim.adam(model, {lr = 1e-2}),
      epochs = 3, batch = 20, quiet = true}
    losses[n] = history[#history].loss
    assert(history[#history].loss < history[1].loss)
  end
  core.threads(before)
  assert(losses[1] == losses[2])
end

-- ---- methods that come with options, or are typed in ----

tests["theta: an option or beside the name; both ends are known methods"] = function()
  local function solve(o)
    return tide.odeint(oscillator(point().p), point().y, times, with(o, {steps = 9}))
  end
  for theta, name in pairs{[0] = "euler", [0.5] = "trapezoid", [1] = "implicit_euler"} do
    local want = solve{method = name}
    assert(distance(solve{method = "theta", theta = theta}[#times], want[#times]) < 1e-13)
    assert(distance(solve{method = {"theta", theta = theta}}[#times], want[#times]) < 1e-13)
  end
  assert(distance(solve{method = "theta"}, solve{method = {"theta"}}) == 0)
  assert(tide.gradcheck(loss{method = {"theta", theta = 0.7}, steps = 6}, point(), {tolerance = 1e-7}))
end

local function typed_in(name)
  local m = rows[name]
  return {A = m.A, b = m.b, c = m.c, order = m.order}
end

tests["an implicit tableau that is typed in does what the built-in one does"] = function()
  for _, name in ipairs{"implicit_euler", "trapezoid", "sdirk2", "kvaerno5", "gauss6", "radau5"} do
    local function solve(method)
      return tide.odeint(oscillator(point().p), point().y, {0, 1}, {method = method, steps = 12})
    end
    assert(distance(solve(name), solve(typed_in(name))) < 1e-14, name)
  end
  local pair = with(typed_in "sdirk2", {b_error = rows.sdirk2.b_error})
  local o = {rtol = 1e-5, atol = 1e-5}
  assert(distance(tide.odeint(oscillator(point().p), point().y, times, with(o, {method = pair})),
    tide.odeint(oscillator(point().p), point().y, times, with(o, {method = "sdirk2"}))) == 0)
end

-- Lobatto IIIA of order 4: its matrix is singular, the first stage explicit; Lobatto IIIC; Radau IA.
local singular = {A = {{0, 0, 0}, {5 / 24, 1 / 3, -1 / 24}, {1 / 6, 2 / 3, 1 / 6}}, b = {1 / 6, 2 / 3, 1 / 6},
  c = {0, 0.5, 1}, order = 4}
local lobatto = {A = {{0.5, -0.5}, {0.5, 0.5}}, b = {0.5, 0.5}, c = {0, 1}, order = 2}
local radau_1a = {A = {{0.25, -0.25}, {0.25, 5 / 12}}, b = {0.25, 0.75}, c = {0, 2 / 3}, order = 3}
tests["tableaus that nobody built in: order, dense output, gradient"] = function()
  local want = tide.odeint(oscillator(point().p), point().y, times, {rtol = 1e-12, atol = 1e-12})
  for i, m in ipairs{singular, lobatto, radau_1a} do
    local function off(steps)
      return distance(tide.odeint(oscillator(point().p), point().y, times, {method = m, steps = steps}), want)
    end
    local order = math.log(off(16) / off(32), 2)
    local dense = math.min(m.order, i == 1 and 3 or 2) -- at the times, which lie inside of steps
    assert(math.abs(order - dense - 1) < 1.2, ("%d: order %.2f"):format(i, order))
    assert(tide.gradcheck(loss{method = m, steps = 5}, point(), {tolerance = 1e-7}))
  end
end

-- ---- steps that adapt ----

tests["adaptive: the error follows the tolerance, counts are calls"] = function()
  local want = tide.odeint(oscillator(point().p), point().y, times, {rtol = 1e-12, atol = 1e-12})
  for _, name in ipairs(adaptive) do
    for _, tol in ipairs{1e-3, 1e-5} do
      local got, s = tide.odeint(oscillator(point().p), point().y, times, {method = name, rtol = tol,
        atol = tol})
      assert(distance(got, want) < 100 * tol, ("%s: %g"):format(name, distance(got, want)))
      assert(s.steps == s.accepted + s.rejected)
      local calls = 0
      local _, plain = tide.odeint(function(t, y)
        calls = calls + 1
        return {y[2], 1.5 * (1 - y[1] ^ 2) * y[2] - y[1] + 0.3 * math.sin(t)}
      end, {1.2, -0.4}, times, {method = name, rtol = tol, atol = tol, plain = true})
      assert(plain.nfe == calls and math.abs(plain.steps - s.steps) <= 1 + s.steps // 50, name)
    end
  end
end

tests["adaptive: checkpointed gradients have the bits of direct ones, and all kinds are near the truth"]
  = function()
  local want = tide.grad(loss{rtol = 1e-11, atol = 1e-12})(point())
  for _, name in ipairs(adaptive) do
    local o = {method = name, rtol = 1e-5, atol = 1e-6}
    local direct = tide.grad(loss(o))(point())
    for _, k in ipairs(name ~= "bdf" and {1, 2, 3, 50} or {}) do
      local kept = tide.grad(loss(with(o, {gradient = "checkpoint", checkpoint_steps = k})))(point())
      assert(distance(direct.p, kept.p) == 0 and distance(direct.y, kept.y) == 0, name .. ", every " .. k)
    end
    for _, kind in ipairs{"direct", "adjoint", "interpolated"} do
      local got = tide.grad(loss(with(o, {gradient = kind})))(point())
      assert(distance(got.p, want.p) < 2e-3, ("%s %s: %g"):format(name, kind, distance(got.p, want.p)))
    end
    -- Newton's method to a tolerance, on a fixed grid
    local fixed = {method = name, newton_tol = 1e-7, rtol = 1e-6, atol = 1e-6, steps = 8}
    assert(rows[name].varies or tide.gradcheck(loss(fixed), point(), {tolerance = 1e-6}), name)
  end
end

-- A linear f has one Jacobian; the next solve begins where the last one took it.
tests["adaptive: a step is halved where Newton's method fails, twice, then a fifth as long"] = function()
  for _, method in ipairs{"radau5", "kvaerno5", "trbdf2"} do
    local firsts = {} -- the least times at which f is taken, of each attempt at a step that is far too long
    local function f(t, y)
      if t > 0 and (#firsts == 0 or t < firsts[#firsts]) then firsts[#firsts + 1] = t end
      return {1e3 * (math.exp(-y[1]) - y[1] ^ 3)}
    end
    tide.odeint(f, {5.0}, {0, 10}, {plain = true, method = method, first_step = 5, max_newton = 4,
      rtol = 1e-6, atol = 1e-6})
    for i, share in ipairs{0.5, 0.5, 0.2, 0.2} do
      assert(math.abs(firsts[i + 1] / firsts[i] - share) < 1e-9, ("%s, %d: %.3g"):format(method, i,
        firsts[i + 1] / firsts[i]))
    end
  end
end

-- y' = r y and steps of h with h r gamma = 1 in binary; 60 unknowns go to LAPACK.
tests["a singular matrix: on a grid an error with a status, where steps adapt a shorter step"] = function()
  local function growth(r) return function(_, y) return y * r end end
  for _, n in ipairs{1, 3, 60} do
    local y0 = tide.ones({n}, F64)
    for name, r in pairs{implicit_euler = 1, implicit_midpoint = 2, trapezoid = 2, rodas4 = 4} do
      local ys, stats = tide.odeint(growth(r), y0, {0, 1}, {method = name, steps = 1, on_failure = "return"})
      assert(stats.failure.status == "newton" and ys[2][1] ~= ys[2][1], name)
      fails("use other steps", tide.odeint, growth(r), y0, {0, 1}, {method = name, steps = 1})
    end
    local o = {method = "rodas4", rtol = 1e-8, atol = 1e-8, first_step = 0.5}
    local value, slope = tide.value_and_grad(function(y)
      return tide.odeint(growth(8), y, {0, 1}, o)[2][n]
    end)(y0)
    local _, stats = tide.odeint(growth(8), y0, {0, 1}, o)
    assert(stats.rejected > 0)
    near(value:item() / math.exp(8), 1, 1e-6)
    near(slope[n] / math.exp(8), 1, 1e-6)
  end
end

tests["a Jacobian does not outlive its parameters"] = function()
  for _, name in ipairs(adaptive) do
    local function solve(p)
      return (tide.odeint(function(_, y) return p * (y - 1) end, tide.full({1}, 2, F64), {0, 1},
        {method = name}))
    end
    local compiled, one, three = tide.compile(solve), tide.tensor({-1}, F64), tide.tensor({-3}, F64)
    compiled(one)
    assert(distance(compiled(three), solve(three)) == 0, name)
  end
end

-- ---- linear systems ----

tests["one small matrix per sample: the numbers of each sample alone; and the cost of one"] = function()
  local x = tide.randn({64, 3}, {seed = 1, dtype = "float64"})
  local a = tide.randn({3, 3}, {seed = 2, dtype = "float64"})
  local function f(t, y) return (y:matmul(a) + t):tanh() - 40 * y end
  for _, name in ipairs{"sdirk2", "radau5", "bdf"} do
    local o = {method = name, steps = 7}
    local whole = tide.odeint(f, x, {0, 1}, o)[2]
    local before = tide.ode.counted(tide.grad(function(m)
      return tide.odeint(function(t, y) return (y:matmul(m) + t):tanh() - 40 * y end, x, {0, 1}, o)[2]:sum()
    end), a).nfe_backward
    assert(before < 7 * 3 * (3 + 2), name) -- a Jacobian takes three products, not 192
    for _, i in ipairs{1, 17, 64} do
      local alone = tide.odeint(f, x:slice(1, i, i), {0, 1}, o)[2]
      assert(distance(whole:slice(1, i, i), alone) < 1e-13, name)
    end
  end
end

-- Heat conduction on n points.
local function heat(n)
  local d = n * n / 400
  return function(_, y)
    local left = tide.cat({y:slice(1, 1, 1) * 0, y:slice(1, 1, n - 1)}, 1)
    local right = tide.cat({y:slice(1, 2, n), y:slice(1, 1, 1) * 0}, 1)
    return d * (left - 2 * y + right) - y * y * y
  end
end

tests["krylov: the numbers of dense, forwards and in gradients; states that dense cannot take"] = function()
  local n = 60
  local y0 = tide.linspace(0, 1, n, F64):sin()
  for _, dtype in ipairs{"float64", "float32"} do
    local near_by = dtype == "float64" and 1e-9 or 1e-4
    for _, o in ipairs{
      {method = "sdirk2", steps = 9}, {method = "radau5", steps = 4}, {method = "bdf", steps = 9},
      {method = "radau5", rtol = 1e-4, atol = 1e-4}, {method = "kvaerno5", rtol = 1e-4, atol = 1e-4},
    } do
      local function solve(y, kind)
        return tide.odeint(heat(n), y, {0, 0.1}, with(o, {jacobian = kind}))[2]
      end
      local start, loose = y0:to(dtype), o.rtol and 3e-5 or near_by
      assert(distance(solve(start, "krylov"), solve(start, "dense")) < loose, o.method)
      local g = {}
      for _, kind in ipairs{"krylov", "dense"} do
        g[kind] = tide.grad(function(y) return solve(y, kind):square():sum() end)(start)
      end
      assert(distance(g.krylov, g.dense) < 3 * loose, o.method)
    end
  end
  local many = tide.odeint(heat(6000), tide.ones({6000}, F64), {0, 1e-5}, {method = "sdirk2", steps = 1})
  assert(math.abs(many[2][3000] - 1) < 1e-4)
  -- without a jvp, differences
  local function plain(_, y) return {-50 * y[1] + y[2], y[1] - y[2]} end
  local o = {method = "sdirk2", steps = 40, plain = true}
  near(tide.odeint(plain, {1, 1}, {0, 1}, with(o, {jacobian = "krylov"}))[2][2],
    tide.odeint(plain, {1, 1}, {0, 1}, o)[2][2], 1e-8)
end

-- Burrage's singly implicit method: one eigenvalue, twice, so that its stages do not fall apart.
local function singly_implicit()
  local l, r = 1 - 0.5 ^ 0.5, 2 ^ 0.5
  return {A = {{l * (4 - r) / 4, l * (4 - 3 * r) / 4}, {l * (4 + 3 * r) / 4, l * (4 + r) / 4}},
    b = {l * (4 + 3 * r) / 4, l * (4 + r) / 4}, b_error = {0.1, -0.1}, order = 1}
end

tests["coupled stages of many unknowns, solved for apart: the numbers of small systems"] = function()
  local n = 20
  local y0 = tide.linspace(0.5, 2, 2 * n, F64):reshape{n, 2}
  local function f(_, y)
    local a, b = y:slice(2, 1, 1), y:slice(2, 2, 2)
    return tide.cat({b - a, 30 * (1 - a * a) * b - 40 * b - a}, 2)
  end
  local function whole(t, y) -- df/dy of all samples in one matrix
    return tide.jacobian(function(v) return f(t, v:reshape{n, 2}):reshape{-1} end, y:reshape{-1})
  end
  for _, dtype in ipairs{"float64", "float32"} do
    for _, method in ipairs{"radau5", "radau3", singly_implicit()} do
      local o = {method = method, rtol = 1e-4, atol = 1e-4}
      local start = y0:to(dtype)
      local small, counts = tide.odeint(f, start, {0, 0.5, 1}, o)
      local large, seen = tide.odeint(f, start, {0, 0.5, 1}, with(o, {jacobian = whole}))
      assert(distance(small, large) < (dtype == "float64" and 1e-11 or 3e-5), distance(small, large))
      assert(dtype == "float32" or counts.nfe == seen.nfe and counts.steps == seen.steps, method)
    end
  end
end

tests["coupled stages apart: beside a quadrature, per sample, checkpointed"] = function()
  local n, o = 40, {method = "radau5", rtol = 1e-6, atol = 1e-8}
  local y0 = tide.linspace(0, 1, n, F64):sin()
  local q, f = {}, heat(n)
  for _, kind in ipairs{"dense", "krylov"} do
    q[kind] = select(3, tide.odeint(f, y0, {0, 0.1}, with(o, {jacobian = kind,
      quadrature = function(_, y) return y:square():sum() end})))
  end
  near(q.dense[2], q.krylov[2], 1e-7)
  local function each(t, y) return tide.stack({f(t, y[1]), f(t, y[2])}, 1) end
  local two = tide.odeint(each, tide.stack{y0, 2 * y0}, {0, 0.1}, with(o, {jacobian = "dense"}))
  assert(distance(two[2][2], tide.odeint(f, 2 * y0, {0, 0.1}, o)[2]) < 1e-5)
  local g = {}
  for _, kind in ipairs{"direct", "checkpoint"} do
    g[kind] = tide.grad(function(y)
      return tide.odeint(f, y, {0, 0.1}, with(o, {gradient = kind}))[2]:square():sum()
    end)(y0)
  end
  assert(distance(g.direct, g.checkpoint) == 0)
end

tests["refusals"] = function()
  local y0 = tide.ones({1}, F64)
  local function f(_, y) return -y end
  fails({"gauss4 is a fixed-step method", "steps = n"}, tide.odeint, f, y0, {0, 1}, {method = "gauss4"})
  fails({"order = 7 of bdf is not there, only 1 to 6"}, tide.odeint, f, y0, {0, 1},
    {method = "bdf", order = 7, steps = 5})
  fails({"order is an option of multistep methods"}, tide.odeint, f, y0, {0, 1},
    {method = "dopri5", order = 5})
  near(tide.odeint(f, y0, {0, 1}, {method = "bdf", order = 2, steps = 100})[2][1], math.exp(-1), 1e-4)
  -- y = y0 + h |y|^(1/2) without a solution; a singular matrix; too many unknowns
  fails({"Newton's method does not converge", "smaller steps"}, tide.odeint,
    function(_, y) return (y * y + 1) end, y0, {0, 4}, {method = "sdirk2", steps = 1})
  fails({"singular", "other steps"}, tide.odeint, f, y0, {0, -2}, {method = "implicit_midpoint", steps = 1})
  local function joined(_, y) return -y.a - y.b:sum() end
  fails({"5000 unknowns", "at most 4096", "krylov"}, tide.odeint,
    function(t, y) return {a = joined(t, y), b = -y.b} end,
    {a = tide.ones({2500}, F64), b = tide.ones({2500}, F64)}, {0, 1},
    {method = "sdirk2", steps = 2, jacobian = "dense"})
  fails({"theta is an option of the method \"theta\"", "sdirk2"}, tide.odeint, f, y0, {0, 1},
    {method = "sdirk2", steps = 2, theta = 1})
  fails({"theta must be a number between 0 and 1"}, tide.odeint, f, y0, {0, 1},
    {method = {"theta", theta = 2}, steps = 2})
  fails({"no option order"}, tide.odeint, f, y0, {0, 1}, {method = {"theta", order = 2}, steps = 2})
end

return tests
