-- Implicit and multistep methods with constant steps: stiff problems, Newton, gradients, everything that
-- explicit methods can be asked for.

local check = require "check"
local tide = require "tide"

local near, fails = check.near, check.fails
local F64 = {dtype = "float64"}
local implicit = {}
for _, m in ipairs(tide.ode.methods()) do if m.implicit then implicit[#implicit + 1] = m.name end end

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
local function with(o, more)
  local all = {}
  for k, v in pairs(o) do all[k] = v end
  for k, v in pairs(more) do all[k] = v end
  return all
end

tests["they are there and say what they are"] = function()
  assert(table.concat(implicit, " ") == "implicit_midpoint sdirk2 adams_moulton bdf")
  local rows = {}
  for _, m in ipairs(tide.ode.methods()) do rows[m.name] = m end
  assert(rows.bdf.family == "multistep" and rows.sdirk2.family == "implicit" and rows.dopri5.family
    == "explicit" and not rows.dopri5.implicit)
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
      assert(fine < coarse / 6 and fine < 1e-2, ("%s, %s: %g, then %g"):format(name, gradient, coarse, fine))
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

tests["refusals"] = function()
  local y0 = tide.ones({1}, F64)
  local function f(_, y) return -y end
  fails({"sdirk2 is a fixed-step method", "steps = n"}, tide.odeint, f, y0, {0, 1}, {method = "sdirk2"})
  fails({"order = 7 of bdf is not there, only 1 to 6"}, tide.odeint, f, y0, {0, 1},
    {method = "bdf", order = 7, steps = 5})
  fails({"order is an option of multistep methods"}, tide.odeint, f, y0, {0, 1},
    {method = "dopri5", order = 5})
  near(tide.odeint(f, y0, {0, 1}, {method = "bdf", order = 2, steps = 100})[2][1], math.exp(-1), 1e-4)
  -- y = y0 + h |y|^(1/2) without a solution; a singular matrix; too many unknowns
  fails({"Newton's method does not converge", "smaller steps"}, tide.odeint,
    function(_, y) return (y * y + 1) end, y0, {0, 4}, {method = "sdirk2", steps = 1})
  fails({"singular", "other steps"}, tide.odeint, f, y0, {0, -2}, {method = "implicit_midpoint", steps = 1})
  fails({"5000 numbers", "at most 4096"}, tide.odeint, f, tide.ones({5000}, F64), {0, 1},
    {method = "sdirk2", steps = 2})
end

return tests
