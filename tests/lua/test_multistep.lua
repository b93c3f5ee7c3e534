--- Linear multistep methods with constant steps: coefficients, orders, starts, dense output, gradients, and
-- methods that are typed in.

local check = require "check"
local tide = require "tide"

local near, fails = check.near, check.fails
local F64 = {dtype = "float64"}

local tests = {}

local function with(o, more)
  local all = {}
  for k, v in pairs(o) do all[k] = v end
  for k, v in pairs(more) do all[k] = v ~= "none" and v or nil end
  return all
end
local function distance(a, b) return (a - b):abs():max():item() end

-- name, orders
local named = {{"adams_bashforth", 1, 8}, {"adams_moulton", 1, 8}, {"abm", 1, 8}, {"bdf", 1, 6},
  {"leapfrog", 2, 2}}
local function each(fn)
  for _, row in ipairs(named) do for k = row[2], row[3] do fn(row[1], k, {method = row[1], order = k}) end end
end
local function states_of(name, k) return name == "adams_moulton" and math.max(k - 2, 0) or k - 1 end

-- ---- coefficients ----

-- The new y of one step behind zeros where f is 1 at one node alone: that node's coefficient.
local function slope_weights(name, k)
  local weights, n = {}, states_of(name, k)
  for node = 0, n + 1 do
    local zeros = {}
    for i = 1, n do zeros[i] = {0} end
    local ys = tide.odeint(function(t) return {math.abs(t - node) < 0.5 and 1 or 0} end, {0}, {0, n + 1},
      {method = name, order = k, steps = n + 1, start = zeros, plain = true})
    weights[node] = ys[2][1]
  end
  return weights
end

tests["coefficients are the rationals of the books, rounded once"] = function()
  local books = { -- Hairer, Norsett, Wanner I, III.1; numerators from the oldest on, denominator
    adams_bashforth = {{1, 1}, {-1, 3, 2}, {5, -16, 23, 12}, {-9, 37, -59, 55, 24},
      {251, -1274, 2616, -2774, 1901, 720}, {-475, 2877, -7298, 9982, -7923, 4277, 1440},
      {19087, -134472, 407139, -688256, 705549, -447288, 198721, 60480},
      {-36799, 295767, -1041723, 2102243, -2664477, 2183877, -1152169, 434241, 120960}},
    adams_moulton = {{1, 1}, {1, 1, 2}, {-1, 8, 5, 12}, {1, -5, 19, 9, 24}, {-19, 106, -264, 646, 251, 720},
      {27, -173, 482, -798, 1427, 475, 1440}, {-863, 6312, -20211, 37504, -46461, 65112, 19087, 60480},
      {1375, -11351, 41499, -88547, 123133, -121797, 139849, 36799, 120960}},
  }
  for name, rows in pairs(books) do
    for k, row in ipairs(rows) do
      local got, below, count = slope_weights(name, k), row[#row], #row - 1
      local last = states_of(name, k) + (name == "adams_moulton" and 1 or 0)
      for i = 1, count do
        local want = row[count - i + 1] / below
        -- an implicit step is solved for y, of which the last bit may move
        local off = name == "adams_moulton" and 2.3e-16 * math.max(1, math.abs(want)) or 0
        assert(math.abs(got[last - i + 1] - want) <= off, ("%s %d: %.17g"):format(name, k, got[last - i + 1]))
      end
    end
  end
  local bdf = {{1, 1}, {-1, 4, 3}, {2, -9, 18, 11}, {-3, 16, -36, 48, 25}, {12, -75, 200, -300, 300, 137},
    {-10, 72, -225, 400, -450, 360, 147}}
  local slopes = {1, 2 / 3, 6 / 11, 12 / 25, 60 / 137, 60 / 147}
  for k, row in ipairs(bdf) do
    for node = 0, k - 1 do
      local start = {}
      for i = 1, k - 1 do start[i] = {i == node and 1 or 0} end
      local o = {method = "bdf", order = k, steps = k, start = start, plain = true}
      local y = tide.odeint(function() return {0} end, {node == 0 and 1 or 0}, {0, k}, o)[2][1]
      assert(y == row[node + 1] / row[k + 1], ("bdf %d, node %d: %.17g"):format(k, node, y))
      local g = tide.odeint(function() return {1} end, {0}, {0, k}, with(o, {start = (function()
        local zeros = {}
        for i = 1, k - 1 do zeros[i] = {0} end
        return zeros
      end)()}))[2][1]
      near(g, slopes[k], 1e-15)
    end
  end
end

-- ---- orders ----

local problems = {
  {f = function(t, y) return -y * tide.cos(t) end, exact = function(t) return math.exp(-math.sin(t)) end,
    spans = {10, -10}},
  {f = function(_, y) return y * (2 - y) end, exact = function(t) return 2 / (1 + math.exp(-2 * t)) end,
    spans = {3, -3}},
}

local function error_of(p, o, to, at)
  local ys = tide.odeint(p.f, tide.ones({1}, F64), {0, at or to / 2, to}, o)
  return math.abs(ys[3][1] - p.exact(to)), math.abs(ys[2][1] - p.exact(at or to / 2))
end

-- Over the span, between the ends of steps.
local function largest_error_inside(p, o, to)
  local times, worst = {0}, 0
  for i = 1, 20 do times[i + 1] = to * (i % 2 == 0 and i or i + 0.013) / 20 end
  local ys = tide.odeint(p.f, tide.ones({1}, F64), times, o):totable()
  for i = 1, 19, 2 do worst = math.max(worst, math.abs(ys[i + 1][1] - p.exact(times[i + 1]))) end
  return worst
end

-- At ends of steps: test_orders.lua.
tests["the order between the steps, forwards, backwards, with and without t"] = function()
  each(function(name, k, o)
    for number, p in ipairs(problems) do
      for _, to in ipairs(p.spans) do
        local order
        for _, steps in ipairs(k < 5 and {320, 640} or {160, 320}) do
          local a = largest_error_inside(p, with(o, {steps = steps}), to)
          local b = largest_error_inside(p, with(o, {steps = 2 * steps}), to)
          if b > 1e-12 then order = math.log(a / b, 2) end
        end
        assert(not order or order > k - 0.9, ("%s %d, problem %d, to %g: %g"):format(name, k, number, to,
          order or 0))
      end
    end
  end)
end

tests["a shortened last step keeps the order"] = function()
  each(function(name, k, o)
    local errors = {}
    for i, h in ipairs{0.05, 0.025} do
      errors[i] = error_of(problems[1], with(o, {step_size = h}), 1.0 + 0.4 * h)
    end
    assert(errors[2] < errors[1] / 2 ^ (k - 0.7) or errors[2] < 1e-12, ("%s %d: %g, %g"):format(name, k,
      errors[1], errors[2]))
  end)
end

-- ---- starts ----

tests["given states: counted as steps, interpolated between, wrong ones refused"] = function()
  local p = problems[1]
  each(function(name, k, o)
    local n, h, start = states_of(name, k), 2 / 60, {}
    for i = 1, n do start[i] = tide.tensor({p.exact(i * h)}, F64) end
    local times = n > 0 and {0, 0.4 * h, n * h, 2} or {0, h, 2 * h, 2}
    local ys, stats = tide.odeint(p.f, tide.ones({1}, F64), times, with(o, {steps = 60, start = start}))
    assert(stats.steps == 60 and stats.accepted == 60)
    if n > 0 then assert(distance(ys[3], start[n]) == 0) end
    near(ys[4][1], p.exact(2), 3 * error_of(p, with(o, {steps = 60}), 2) + 1e-12, name .. k)
    if n > 0 then near(ys[2][1], p.exact(0.4 * h), 20 * h ^ k) end
  end)
  local y0, o = tide.ones({1}, F64), {method = "adams_bashforth", order = 3, steps = 10}
  local function solve(start, more)
    return tide.odeint(p.f, y0, {0, 1}, with(with(o, {start = start}), more or {}))
  end
  fails({"start must have 2 states", "got 1"}, solve, {y0})
  fails({'start must be "rk" or a list of states, got "rkk"'}, solve, "rkk")
  fails({"start[2] has shape {2}", "y0 has {1}"}, solve, {y0, tide.ones({2}, F64)})
  fails({"float32"}, solve, {y0, tide.ones{1}})
  fails({"start gives the ends of 2 steps, but the grid has only 2"}, solve, {y0, y0}, {steps = 2})
  fails({"start is an option of multistep methods"}, solve, {y0}, {method = "rk4", order = "none"})
  fails({"start must be made of numbers", "being recorded"}, tide.grad(function(q)
    return tide.odeint(p.f, q, {0, 1}, with(o, {start = {q, q}})):sum()
  end), y0)
end

-- Of order 1 with many steps: its own start has fewer stages than there are given states.
tests["a formula of many steps and low order is its recurrence, and so is its derivative"] = function()
  local function recurrence(steps, y) -- of y' = -y, steps of 0.01
    for n = steps - 1, 99 do
      y[n + 1] = (y[n] + y[n + 1 - steps]) / 2 - 0.01 * (1 + steps) / 2 * y[n]
    end
    return y
  end
  for _, steps in ipairs{3, 5, 8} do
    local alpha, beta, states, wanted, unit = {}, {}, {}, {[0] = 1.3}, {[0] = 1}
    for j = 1, steps + 1 do alpha[j], beta[j] = 0, 0 end
    alpha[1], alpha[steps], alpha[steps + 1] = -0.5, -0.5, 1
    beta[steps] = (1 + steps) / 2
    for n = 1, steps - 1 do
      wanted[n], unit[n] = math.sin(n), 0
      states[n] = tide.tensor({wanted[n]}, F64)
    end
    recurrence(steps, wanted)
    local o = {method = {alpha = alpha, beta = beta}, steps = 100, start = states}
    local function solve(y0) return tide.odeint(function(_, y) return -y end, y0, {0, 0.5, 1}, o) end
    local y0 = tide.tensor({1.3}, F64)
    local ys = solve(y0)
    near(ys[2][1], wanted[50], 1e-13, steps .. " in the middle")
    near(ys[3][1], wanted[100], 1e-13, steps .. " at the end")
    near(tide.grad(function(y) return solve(y)[3][1] end)(y0)[1], recurrence(steps, unit)[100], 1e-14)
  end
end

tests["given states in tables of tensors, of both dtypes, in tiles of a batch"] = function()
  for _, dtype in ipairs{"float32", "float64"} do
    local function f(_, s) return {u = s.v, v = -s.u} end
    local function state(t)
      local v = tide.full({3}, -math.sin(t), {dtype = dtype})
      return {u = tide.full({3}, math.cos(t), {dtype = dtype}), v = v}
    end
    local got = tide.odeint(f, state(0), {0, 1}, {method = "abm", order = 3, steps = 50,
      start = {state(0.02), state(0.04)}})
    near(got.u[2][3], math.cos(1), 1e-5)
    local x = tide.randn({300, 2}, {seed = 1, dtype = dtype})
    local m = tide.randn({2, 64}, {seed = 2, dtype = dtype})
    local back = tide.randn({64, 2}, {seed = 3, dtype = dtype}) * 0.1
    local function field(_, y) return y:matmul(m):tanh():matmul(back) end
    local fine = tide.odeint(field, x, {0, 0.1, 0.2, 1}, {method = "dopri8", steps = 50})
    local ys = tide.odeint(field, x, {0, 1}, {method = "adams_bashforth", order = 3, steps = 10,
      start = {fine[2], fine[3]}})
    assert(distance(ys[2], fine[4]) < 5e-3)
  end
end

tests["the derivative with given states is that of the steps behind them"] = function()
  each(function(name, k, o)
    local n, h, start = states_of(name, k), 0.1, {}
    if n == 0 then return end
    for i = 1, n do start[i] = tide.tensor({1 + 0.1 * i, 0.5 - 0.05 * i}, F64) end
    local function loss(q)
      local function f(t, y) return tide.stack{y[2] * q.p[1], -y[1] * q.p[2] + tide.sin(t)} end
      return tide.odeint(f, q.y, {0, 0.33 * h, 0.77 * h, (n + 0.5) * h, (n + 3) * h}, with(o, {
        step_size = h, start = start})):sin():sum()
    end
    local q = {p = tide.tensor({0.7, 1.1}, F64), y = tide.tensor({1, 0.5}, F64)}
    local ok, worst = tide.gradcheck(loss, q, {tolerance = 1e-7})
    assert(ok, ("%s %d: %g"):format(name, k, worst))
  end)
end

-- ---- gradients ----

local function oscillator(p)
  return function(t, y)
    return tide.stack{y[2], p[1] * (1 - y[1] * y[1]) * y[2] - y[1] + p[2] * tide.sin(t)}
  end
end
local function point() return {p = tide.tensor({1.5, 0.3}, F64), y = tide.tensor({1.2, -0.4}, F64)} end
local function loss(o, times)
  times = times or {0, 0.01, 0.31, 0.33, 0.9, 1}
  return function(q) return tide.odeint(oscillator(q.p), q.y, times, o):sin():sum() end
end

tests["direct and checkpointed gradients are the derivative of the steps, to the bit the same"] = function()
  each(function(name, k, given)
    for _, grid in ipairs{{steps = 13}, {step_size = 0.07}} do
      local o, what = with(given, grid), ("%s %d"):format(name, k)
      local ok, worst = tide.gradcheck(loss(o), point(), {tolerance = 1e-7})
      assert(ok, what .. ": " .. worst)
      local direct = tide.grad(loss(o))(point())
      for _, every in ipairs{1, 3, 1000} do
        local kept = tide.grad(loss(with(o, {gradient = "checkpoint", checkpoint_steps = every})))(point())
        assert(distance(direct.p, kept.p) == 0 and distance(direct.y, kept.y) == 0,
          what .. ", every " .. every)
      end
    end
    local backwards = loss(with(given, {steps = 12}), {1, 0.4, 0})
    assert(tide.gradcheck(backwards, point(), {tolerance = 1e-7}), name .. k)
  end)
end

tests["the continuous adjoints converge to it; second derivatives"] = function()
  local exact = tide.grad(loss{rtol = 1e-11, atol = 1e-11})(point())
  for _, o in ipairs{
    {method = "adams_bashforth", order = 3}, {method = "abm", order = 4}, {method = "bdf", order = 3},
    {method = "leapfrog"},
  } do
    for _, gradient in ipairs{"adjoint", "interpolated"} do
      local function off(steps)
        local all = with(o, {steps = steps, gradient = gradient, reconstruction_limit = 1e9})
        local g = tide.grad(loss(all))(point())
        return distance(g.p, exact.p)
      end
      local coarse, fine = off(40), off(160)
      assert(fine < coarse / 6 and fine < 2e-2, ("%s, %s: %g, then %g"):format(o.method, gradient, coarse,
        fine))
    end
    local function first(q) return tide.grad(loss(with(o, {steps = 7})))(q).p end
    assert(tide.gradcheck(first, point(), {tolerance = 1e-6}), o.method)
  end
end

tests["states that were given are constants of every derivative, of the tangents too"] = function()
  local direction = {p = tide.tensor({0.3, -1.1}, F64), y = tide.tensor({0.2, 0.7}, F64)}
  local exact = tide.grad(loss{rtol = 1e-11, atol = 1e-11})(point())
  local function start_of(o, n, steps)
    local times, list = {0}, {}
    for i = 1, n do times[i + 1] = i / steps end
    local ys = n > 0 and tide.odeint(oscillator(point().p), point().y, times, {rtol = 1e-11, atol = 1e-11})
    for i = 1, n do list[i] = ys[i + 1] end
    return with(o, {steps = steps, start = n > 0 and list or "rk"})
  end
  for _, row in ipairs{
    {"adams_bashforth", 3}, {"adams_moulton", 4}, {"abm", 5}, {"bdf", 4}, {"leapfrog", 2},
  } do
    local name, n = row[1], states_of(row[1], row[2])
    local o = start_of({method = name, order = row[2]}, n, 9)
    local g = tide.grad(loss(o))(point())
    local by_tangents = tide.grad(loss(with(o, {gradient = "forward"})))(point())
    assert(distance(g.p, by_tangents.p) < 1e-12 and distance(g.y, by_tangents.y) < 1e-12, name)
    local _, slope = tide.jvp(loss(o), point(), direction)
    near(slope:item(), ((g.p * direction.p):sum() + (g.y * direction.y):sum()):item(), 1e-12, name)
    assert(tide.gradcheck(function(q) return tide.grad(loss(o))(q).p end, point(), {tolerance = 1e-6}), name)
    for _, gradient in ipairs{"adjoint", "interpolated"} do
      local fine = with(start_of({method = name, order = row[2]}, n, 160), {gradient = gradient,
        reconstruction_limit = 1e9})
      assert(distance(tide.grad(loss(fine))(point()).p, exact.p) < 2e-2, name .. gradient)
    end
  end
end

tests["what fields keep for the backward pass changes no bit"] = function()
  local net = tide.nn.mlp{sizes = {3, 32, 32, 3}, act = "tanh", seed = 1, dtype = "float64"}
  local y = tide.randn({40, 3}, {seed = 2, dtype = "float64"})
  for _, o in ipairs{
    {method = "adams_bashforth", order = 5}, {method = "abm", order = 3}, {method = "leapfrog"},
  } do
    local function run(gradient)
      return tide.grad(function(q)
        return tide.odeint(function(t, x) return q(t, x) end, y, {0, 0.2, 1}, with(o, {steps = 11,
          gradient = gradient, checkpoint_steps = gradient == "checkpoint" and 4 or nil})):square():sum()
      end)(net)
    end
    local a, b = tide.tree.tensors(run()), tide.tree.tensors(run "checkpoint")
    for i = 1, #a do assert(distance(a[i], b[i]) == 0) end
  end
end

-- ---- stiff ----

tests["bdf on a stiff problem"] = function()
  local function f(t, y) return -1e6 * (y - tide.cos(t)) - tide.sin(t) end
  for k, tolerance in ipairs{2e-8, 1e-7} do
    near(tide.odeint(f, tide.ones({1}, F64), {0, 1}, {method = "bdf", order = k, steps = 50})[2][1],
      math.cos(1), tolerance, "order " .. k)
  end
end

-- ---- typed in ----

tests["the named methods, typed in, give the same numbers"] = function()
  local p, y0 = problems[1], tide.ones({1}, F64)
  local function same(named_options, alpha, beta, tolerance)
    local want = tide.odeint(p.f, y0, {0, 0.31, 2}, with(named_options, {steps = 40}))
    local got = tide.odeint(p.f, y0, {0, 0.31, 2}, {method = {alpha = alpha, beta = beta}, steps = 40})
    assert(distance(got[3], want[3]) <= tolerance, ("%s: %g"):format(named_options.method,
      distance(got[3], want[3])))
    near(got[2][1], want[2][1], 1e-4)
  end
  same({method = "leapfrog"}, {-1, 0, 1}, {0, 2, 0}, 0)
  same({method = "leapfrog"}, {-3, 0, 3}, {0, 6, 0}, 1e-14)
  same({method = "adams_bashforth", order = 2}, {0, -1, 1}, {-0.5, 1.5, 0}, 1e-14)
  same({method = "bdf", order = 2}, {1, -4, 3}, {0, 0, 2}, 1e-14)
  same({method = "adams_moulton", order = 2}, {-1, 1}, {0.5, 0.5}, 1e-14)
  same({method = "adams_moulton", order = 3}, {0, -12, 12}, {-1, 8, 5}, 1e-14)
end

tests["Milne's method and others: order, dense output, gradients"] = function()
  for _, m in ipairs{
    {4, {alpha = {-1, 0, 1}, beta = {1 / 3, 4 / 3, 1 / 3}}}, -- Milne-Simpson
    {4, {alpha = {-1, 0, 0, 0, 1}, beta = {0, 8 / 3, -4 / 3, 8 / 3, 0}}}, -- Milne
    {2, {alpha = {-1, 0, 1}, beta = {0, 2, 0}}},
    {3, {alpha = {0.5, -3, 1.5, 1}, beta = {0, 0, 3, 0}, unstable = true}},
    {4, {alpha = {1 / 8, 0, -9 / 8, 1}, beta = {0, -3 / 8, 6 / 8, 3 / 8}}}, -- Hamming
  } do
    local order, method = m[1], m[2]
    local o = {method = method, steps = 10}
    -- an unstable method blows up the rounding of the differences, by its root of -2.7 to the tenth
    local ok, worst = tide.gradcheck(loss(o), point(), {tolerance = method.unstable and 1e-5 or 1e-7})
    assert(ok, ("%d: %g"):format(order, worst))
    if not method.unstable then
      local a, a_inside = error_of(problems[1], with(o, {steps = 100}), 1, 0.503)
      local b, b_inside = error_of(problems[1], with(o, {steps = 200}), 1, 0.503)
      near(math.log(a / b, 2), order, 0.15)
      assert(math.log(a_inside / b_inside, 2) > order - 1)
      -- the last step is shorter: a one-step method's
      near(error_of(problems[1], with({method = method}, {step_size = 0.03}), 1), 0, 2e-3 ^ (order / 2))
    end
  end
end

tests["what is typed in is checked"] = function()
  local y0 = tide.ones({1}, F64)
  local function solve(method, more)
    return tide.odeint(problems[1].f, y0, {0, 1}, with({method = method, steps = 10}, more or {}))
  end
  fails({"not consistent: alpha must sum to 0"}, solve, {alpha = {-1, 2}, beta = {1, 0}})
  fails({"not consistent: the sum of j alpha_j"}, solve, {alpha = {-1, 1}, beta = {1, 1}})
  fails({"beta is missing"}, solve, {alpha = {-1, 1}})
  fails({"as many entries", "2 and 1"}, solve, {alpha = {-1, 1}, beta = {1}})
  fails({"2 to 9 entries", "got 1"}, solve, {alpha = {1}, beta = {1}})
  fails({"the last entry of alpha", "oldest"}, solve, {alpha = {1, -1, 0}, beta = {0, 1, 0}})
  fails({"alpha[2] must be a finite number"}, solve, {alpha = {-1, 0 / 0}, beta = {1, 0}})
  fails({"order = 3 was stated, but it is 2"}, solve, {alpha = {-1, 0, 1}, beta = {0, 2, 0}, order = 3})
  fails({"fixed-step method"}, solve, {alpha = {-1, 0, 1}, beta = {0, 2, 0}}, {steps = "none"})
  fails({"not zero-stable", "unstable = true"}, solve, {alpha = {-5, 4, 1}, beta = {2, 4, 0}})
  fails({"not zero-stable"}, solve, {alpha = {1, -2, 1}, beta = {-1, 1, 0}}) -- a double root at 1
  -- Dahlquist's example grows, as it has to; it may be watched
  local explodes = solve({alpha = {-5, 4, 1}, beta = {2, 4, 0}, unstable = true}, {steps = 40})[2][1]
  assert(math.abs(explodes) > 1e6)
  fails({"order = 9 of bdf is not there, only 1 to 6"}, solve, "bdf", {order = 9})
  fails({"order = 3 of leapfrog is not there, only 2"}, solve, "leapfrog", {order = 3})
end

return tests
