--- Derivatives of a solve: direct, checkpoint, adjoint, second order, inside other transformations.

local tide = require "tide"

local tests = {}

local methods, by_name = tide.ode.methods(), {}
for _, m in ipairs(methods) do by_name[m.name] = m end

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end

local function flat(x)
  if type(x) ~= "table" then return x:reshape{-1}:totable() end
  local out, keys = {}, {}
  for k in pairs(x) do keys[#keys + 1] = k end
  table.sort(keys)
  for _, k in ipairs(keys) do table.move(flat(x[k]), 1, #flat(x[k]), #out + 1, out) end
  return out
end
local function same_bits(a, b, what)
  a, b = flat(a), flat(b)
  assert(#a == #b and #a > 0, what)
  for i = 1, #a do assert(a[i] == b[i], ("%s: element %d is %.17g and %.17g"):format(what, i, a[i], b[i])) end
end
local function near(a, b, tol, what)
  a, b = flat(a), flat(b)
  assert(#a == #b and #a > 0, what)
  local size, worst = 1e-300, 0
  for i = 1, #a do
    size = math.max(size, math.abs(b[i]))
    local d = math.abs(a[i] - b[i])
    if not (d <= worst) then worst = d end
  end
  assert(worst <= tol * size, ("%s: off by %.3g of the largest, at most %.3g"):format(what, worst / size,
    tol))
end
local function check(fn, p, what, tolerance, step)
  local ok, worst = tide.gradcheck(fn, p, {step = step or 1e-5, tolerance = tolerance or 1e-8})
  assert(ok, ("%s: gradcheck off by %.3g"):format(what, worst))
end
local function with(a, b)
  local c = {}
  for k, v in pairs(a) do c[k] = v end
  for k, v in pairs(b) do c[k] = v end
  return c
end

-- A time-dependent nonlinear field with parameters, and a loss of all its outputs.
local function field(p)
  return function(t, y) return (y:matmul(p.w) + p.b * t):tanh() + (y * (t * 0.3)):sin() end
end
local function parameters()
  return {w = f64{{-0.3, 1.1}, {-0.9, 0.2}}, b = f64{0.1, -0.2}, y0 = f64{{0.5, -1}, {0.2, 0.3}}}
end
local function loss_of(ys) return (ys * ys * f64{1, 0.5} + ys:sin()):sum() end
local function solve_loss(times, opts)
  return function(p) return loss_of((tide.odeint(field(p), p.y0, times, opts))) end
end

local spans = {{0, 1}, {0, 0.33, 0.71, 1}, {1, 0.4, 0.1}, {0, 0.05, 0.1, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16,
  0.17, 0.18, 0.19, 0.2, 0.5, 0.9}}

tests["direct is the derivative of the discrete map: all methods, fixed steps, outputs anywhere"] = function()
  for _, m in ipairs(methods) do
    for i, times in ipairs(spans) do
      check(solve_loss(times, {method = m.name, steps = 4}), parameters(), ("%s, times %d"):format(m.name, i))
    end
    check(solve_loss({0, 0.5, 1}, {method = m.name, step_size = 0.3}), parameters(), m.name)
  end
end

tests["direct with a user's FSAL tableau, whose outputs come from the boot-strapped interpolant"] = function()
  local m = by_name.dopri5
  local method = {A = m.A, b = m.b, c = m.c, b_error = m.b_error, order = 5}
  check(solve_loss({0, 0.33, 0.71, 1}, {method = method, steps = 3}), parameters(), "user dopri5")
end

tests["direct for each output alone"] = function()
  for _, name in ipairs{"heun", "bosh3", "rk4", "dopri5", "tsit5", "dopri8"} do
    for i = 1, 4 do
      check(function(p)
        return loss_of(tide.odeint(field(p), p.y0, {0, 0.3, 0.8, 1}, {method = name, steps = 2}):slice(1, i,
          i))
      end,
        parameters(), ("%s, output %d"):format(name, i))
    end
  end
end

tests["direct in float32 agrees with float64"] = function()
  local p, q = parameters(), {}
  for k, v in pairs(p) do q[k] = v:to "float32" end
  for _, name in ipairs{"rk4", "dopri5", "dopri8"} do
    local function loss(r)
      local ys = tide.odeint(field(r), r.y0, {0, 0.4, 1}, {method = name, steps = 5})
      return (ys * ys):sum()
    end
    near(tide.grad(loss)(q), tide.grad(loss)(p), 2e-5, name)
  end
end

-- dopri5 unrolled in Lua with given steps: the oracle for adaptive solves, whose step sizes are constants of
-- the derivative.
local function unrolled(m, f, y, steps)
  for _, step in ipairs(steps) do
    local t, h, k = step[1], step[2], {}
    for i = 1, m.stages do
      local input = y
      for j = 1, i - 1 do if m.A[i][j] ~= 0 then input = input + k[j] * (h * m.A[i][j]) end end
      k[i] = f(t + m.c[i] * h, input)
    end
    for i = 1, m.stages do if m.b[i] ~= 0 then y = y + k[i] * (h * m.b[i]) end end
  end
  return y
end

-- The accepted steps of an adaptive solve with an FSAL method and a given first step, from the times at which
-- f is called: after f(t0), the last call of each attempt is at its end. A step was rejected when the next
-- attempt ends before it.
local function accepted_steps(m, f, y0, times, opts)
  local calls, per = {}, m.stages - 1
  local _, stats = tide.odeint(function(t, y) calls[#calls + 1] = t; return f(t, y) end, y0, times,
    with(opts, {eager = true}))
  local steps, t, direction = {}, times[1], times[#times] > times[1] and 1 or -1
  for i = 1, stats.steps do
    local at_end, next_end = calls[1 + i * per], calls[1 + (i + 1) * per]
    if not next_end or (next_end - at_end) * direction > 0 then
      steps[#steps + 1] = {t, at_end - t}
      t = at_end
    end
  end
  assert(#steps == stats.accepted, ("%d and %d"):format(#steps, stats.accepted))
  return steps
end

tests["direct of an adaptive solve is that of its accepted steps, written out"] = function()
  local p = parameters()
  for _, name in ipairs{"bosh3", "dopri5", "tsit5"} do
    for _, tol in ipairs{1e-2, 1e-5} do
      for _, times in ipairs{{0, 6}, {6, 0}} do
        local opts = {method = name, rtol = tol, atol = tol, first_step = 2}
        local steps = accepted_steps(by_name[name], field(p), p.y0, times, opts)
        local _, stats = tide.odeint(field(p), p.y0, times, opts)
        assert(stats.rejected > 0 and stats.accepted == #steps)
        local want = tide.grad(
          function(q) return loss_of(unrolled(by_name[name], field(q), q.y0, steps)) end)(p)
        local got = tide.grad(function(q) return loss_of(tide.odeint(field(q), q.y0, times, opts)[2]) end)(p)
        near(got, want, 1e-10, name)
      end
    end
  end
end

tests["direct near the true gradient at tight tolerance, for every adaptive method"] = function()
  local p = parameters()
  local want = tide.grad(solve_loss(spans[2], {method = "dopri8", steps = 40}))(p)
  for name, tol in pairs{bosh3 = 1e-7, dopri5 = 1e-9, tsit5 = 1e-9, dopri8 = 1e-10, heun_euler = 1e-5} do
    near(tide.grad(solve_loss(spans[2], {method = name, rtol = tol, atol = tol}))(p), want, 20 * tol, name)
  end
end

-- torchdiffeq 0.2.5 in float64, dopri5 at rtol = atol = 1e-11, differentiated by autograd: loss, then
-- gradients of b, w and y0.
tests["direct, checkpoint and adjoint agree with torchdiffeq"] = function()
  local golden = {6.12375579544595, 2.50330723876291, 0.703870876312104, 2.95467635243789, -0.503399905595117,
    -1.93786804532149,
    1.71849308331336, 7.61832210339242, -3.80300922038069, 6.26682380281008, 3.6186440236548}
  for _, gradient in ipairs{"direct", "checkpoint", "adjoint"} do
    for _, method in ipairs{"dopri5", "dopri8", "tsit5"} do
      local v, g = tide.value_and_grad(
        solve_loss(spans[2], {method = method, gradient = gradient, rtol = 1e-11, atol = 1e-11}))(
        parameters())
      local w, y0 = flat(g.w), flat(g.y0)
      near(f64{v:item(), g.b[1], g.b[2], w[1], w[2], w[3], w[4], table.unpack(y0)}, f64(golden), 1e-9,
        gradient)
    end
  end
end

tests['direct with final = "interpolate"'] = function()
  local p = parameters()
  local want = tide.grad(solve_loss({0, 0.4, 1}, {method = "dopri8", steps = 40}))(p)
  near(tide.grad(solve_loss({0, 0.4, 1}, {method = "dopri5_shampine", final = "interpolate", rtol = 1e-9,
    atol = 1e-9}))(p), want, 1e-7, "shampine")
end

tests["a continuous adjoint without an absolute tolerance says so"] = function()
  local function loss(opts)
    return function(k)
      return tide.odeint(function(_, y) return y * k end, tide.ones({1}, {dtype = "float64"}), {0, 1},
        opts)[2]:sum()
    end
  end
  local k = tide.tensor(0.5, {dtype = "float64"})
  for _, gradient in ipairs{"adjoint", "interpolated"} do
    local ok, message = pcall(tide.grad(loss{gradient = gradient, atol = 0}), k)
    assert(not ok and message:find("give adjoint_atol > 0", 1, true), message)
    local g = tide.grad(loss{gradient = gradient, atol = 0, rtol = 1e-8, adjoint_atol = 1e-8})(k)
    assert(math.abs(g:item() - math.exp(0.5)) < 1e-6)
    tide.grad(loss{gradient = gradient, atol = 0, steps = 10, method = "rk4"})(k)
  end
end

tests["parameters that are views"] = function()
  local F64 = {dtype = "float64"}
  local views = {
    reversed = function(x) return x:slice(1, -1, 1, -1) end,
    spread = function(x) return x:sum(nil, true):broadcast_to{2} end,
    every_second = function(x) return tide.cat{x, x * 2}:slice(1, 1, 4, 2) end,
  }
  local weight = tide.randn({2, 600, 2}, {dtype = "float64", seed = 4})
  for name, view in pairs(views) do
    for _, n in ipairs{1, 600} do -- the latter tile by tile
      for _, opts in ipairs{{method = "euler", steps = 2},
        {method = "rk4", steps = 2, gradient = "checkpoint"},
                            {method = "rk4", steps = 40, gradient = "adjoint"},
                            {method = "rk4", steps = 40, gradient = "interpolated"}} do
        local function loss(x)
          local v = view(x)
          local ys = tide.odeint(function(_, y) return v:tanh() * (0.1 * y):sin() + v end,
            x:reshape{1, 2}:broadcast_to{n, 2}, {0, 1}, opts)
          return (ys * weight:slice(2, 1, n)):sum()
        end
        local ok, worst = tide.gradcheck(loss, tide.tensor({0.3, -0.2}, F64), {tolerance = 1e-4})
        assert(ok, ("%s, batch %d, %s: %g"):format(name, n, opts.gradient or "direct", worst))
        local x = tide.tensor({0.3, -0.2}, F64)
        same_bits(tide.compile(tide.grad(loss))(x), tide.grad(loss)(x), name)
      end
    end
  end
end

tests["checkpoint where the solve takes one step"] = function()
  for _, n in ipairs{1, 40, 70000} do
    local y0 = tide.randn({n}, {dtype = "float64", seed = n})
    local function loss(opts)
      return function(y)
        return tide.odeint(function(t, u) return (u * t):sin() end, y, {0, 0.5}, opts)[2]:square():sum()
      end
    end
    for _, method in ipairs{"euler", "tsit5", "dopri8"} do
      local g = tide.grad(loss{method = method, steps = 1, gradient = "checkpoint"})(y0)
      assert((g - tide.grad(loss{method = method, steps = 1})(y0)):abs():max():item() == 0)
    end
  end
end

tests["checkpoint is direct, bit for bit"] = function()
  local p = parameters()
  for _, m in ipairs(methods) do
    for i, times in ipairs(spans) do
      local opts = {method = m.name, step_size = 0.07}
      local value, direct = tide.value_and_grad(solve_loss(times, opts))(p)
      for _, every in ipairs{1, 2, 3, 4, 5, 7, 13, 14, 15, 16, 100} do
        local v, g = tide.value_and_grad(
          solve_loss(times, with(opts, {gradient = "checkpoint", checkpoint_steps = every})))(p)
        same_bits(v, value, m.name)
        same_bits(g, direct, ("%s, times %d, every %d"):format(m.name, i, every))
      end
      if m.kind == "adaptive" then
        opts = {method = m.name, rtol = 1e-5, atol = 1e-5}
        direct = tide.grad(solve_loss(times, opts))(p)
        for every = 1, 12 do
          same_bits(tide.grad(
            solve_loss(times, with(opts, {gradient = "checkpoint", checkpoint_steps = every})))(p), direct,
            ("%s adaptive, times %d, every %d"):format(m.name, i, every))
        end
      end
    end
  end
end

tests["counts of the backward pass"] = function()
  local p = parameters()
  local function counts(opts)
    local stats
    tide.grad(function(q)
      local ys
      ys, stats = tide.odeint(field(q), q.y0, {0, 1}, opts)
      return loss_of(ys)
    end)(p)
    return stats
  end
  for _, m in ipairs(methods) do
    if m.family ~= "explicit" then goto continue end
    local used = 0 -- stages that y_next needs
    for i = 1, m.stages do if m.b[i] ~= 0 then used = i end end
    -- a stage whose weight is zero has no cotangent unless a later one uses it; here all of them are used
    local s = counts{method = m.name, steps = 8}
    assert(s.nfe_backward == 8 * used, ("%s: %d"):format(m.name, s.nfe_backward))
    assert(s.nfe == 8 * (m.fsal and m.stages - 1 or m.stages) + (m.fsal and 1 or 0))
    s = counts{method = m.name, steps = 8, gradient = "checkpoint", checkpoint_steps = 4}
    local replays = 2 * 3 + (used > 1 and 8 or 0) -- states between the kept ones, and the stages of each step
    assert(s.nfe_backward == 8 * used + replays * used, ("%s checkpoint: %d"):format(m.name, s.nfe_backward))
    ::continue::
  end
  local s = counts{gradient = "adjoint", rtol = 1e-4, atol = 1e-4}
  assert((s.nfe_backward - 2) % 6 == 0 and s.nfe_backward >= 8)
  s = counts{method = "rk4", steps = 5, gradient = "adjoint"}
  assert(s.nfe_backward == 20)
end

tests["totals count the backward pass"] = function()
  local stats = tide.ode.counted(tide.grad(solve_loss({0, 1}, {method = "rk4", steps = 5})), parameters())
  assert(stats.nfe == 20 and stats.nfe_backward == 20)
end

tests["adjoint within 20 tolerances, also with outputs between"] = function()
  local p = parameters()
  for _, times in ipairs(spans) do
    local want = tide.grad(solve_loss(times, {method = "dopri8", steps = 60}))(p)
    for _, tol in ipairs{1e-3, 1e-5, 1e-7, 1e-9} do
      near(tide.grad(solve_loss(times, {gradient = "adjoint", rtol = tol, atol = tol}))(p), want, 20 * tol,
        "adjoint at " .. tol)
      near(tide.grad(solve_loss(times, {rtol = tol, atol = tol}))(p), want, 20 * tol, "direct at " .. tol)
    end
  end
  local want = tide.grad(solve_loss({0, 1}, {method = "dopri8", steps = 60}))(p)
  near(tide.grad(solve_loss({0, 1}, {method = "rk4", steps = 50, gradient = "adjoint"}))(p), want, 1e-6,
    "rk4")
end

tests["interpolated within 20 tolerances, every interpolant, also of flows that cannot be run backwards"] =
  function()
  local p = parameters()
  for _, times in ipairs(spans) do
    local want = tide.grad(solve_loss(times, {method = "dopri8", steps = 60}))(p)
    for _, method in ipairs{"dopri5", "tsit5", "dopri8", "bosh3"} do
      for _, tol in ipairs{1e-3, 1e-5, 1e-7} do
        near(tide.grad(
          solve_loss(times, {method = method, gradient = "interpolated", rtol = tol, atol = tol}))(p), want,
          20 * tol,
          ("%s at %g"):format(method, tol))
      end
    end
    for method, tol in pairs{rk4 = 1e-5, heun = 2e-3, bosh3 = 1e-5} do
      near(tide.grad(solve_loss(times, {method = method, steps = 50, gradient = "interpolated"}))(p), want,
        tol, method)
    end
  end
  local y0, matrix = f64{{1, 0.5, -0.7}}, f64{{-1, 6, 3}, {0, -10, 8}, {0, 0, -40}}
  for _, span in ipairs{1, 3} do
    local function loss(opts)
      return function(m)
        return tide.odeint(function(_, y) return y:matmul(m) end, y0, {0, span}, opts)[2]:sum()
      end
    end
    local want = tide.grad(loss{method = "dopri8", steps = 800})(matrix)
    near(tide.grad(loss{rtol = 1e-6, atol = 1e-6, gradient = "interpolated"})(matrix), want, 20e-6,
      "contracting")
  end
end

-- Where y cannot be solved backwards the adjoint solves forwards again and takes y from there.
tests["adjoint of a contracting flow is right"] = function()
  local y0 = f64{{1, 0.5, -0.7}}
  -- -1, -10, -40
  local matrices = {f64{{-7, -8.1, -4.2}, {-3, -10.9, -13.8}, {1.5, -14.55, -33.1}},
    f64{{-1, 6, 3}, {0, -10, 8}, {0, 0, -40}}}
  for _, rate in ipairs{0.5, 1, 2, 3, 4, 5, 6, 8} do
    matrices[#matrices + 1] = f64{{-rate, 0.5 * rate, 0.2}, {-0.5 * rate, -rate, 0.3},
      {0.1, -0.2, -rate * 0.6}}
  end
  local repeated = 0
  for i, matrix in ipairs(matrices) do
    for _, span in ipairs(i <= 2 and {1, 3} or {1}) do
      local function loss(opts)
        return function(m)
          return tide.odeint(function(_, y) return y:matmul(m) end, y0, {0, span}, opts)[2]:sum()
        end
      end
      local want = tide.grad(loss{method = "dopri8", steps = 800})(matrix)
      -- at T = 3 the gradient is far below atol
      assert((tide.grad(loss{rtol = 1e-6, atol = 1e-6})(matrix) - want):abs():max():item() < 20e-6, "direct")
      local adjoint, g = tide.ode.counted(tide.grad(loss{gradient = "adjoint", rtol = 1e-6, atol = 1e-6}),
        matrix)
      near(g, want, 20e-6, "adjoint")
      local interpolated = tide.ode.counted(
        tide.grad(loss{gradient = "interpolated", rtol = 1e-6, atol = 1e-6}), matrix)
      if adjoint.nfe_backward > interpolated.nfe_backward then repeated = repeated + 1 end
      near(tide.grad(loss{gradient = "adjoint", method = "rk4", steps = 400})(matrix), want, 1e-4,
        "fixed steps")
      if i == 8 then
        assert(pcall(
          tide.grad(loss{gradient = "adjoint", rtol = 1e-6, atol = 1e-6, reconstruction_limit = math.huge}),
          matrix))
      end
    end
  end
  assert(repeated >= 4, "the stiff ones need the second solve")
end

-- ---- second derivatives ----

local function random_like(p, seed)
  local q = {}
  for k, v in pairs(p) do
    q[k] = tide.randn(v:shape(), {dtype = "float64", seed = seed})
    seed = seed + 1
  end
  return q
end
local function axpy(p, c, v)
  local q = {}
  for k in pairs(p) do q[k] = p[k] + v[k] * c end
  return q
end
local function dot(a, b)
  local s
  for k in pairs(a) do
    local part = (a[k] * b[k]):sum()
    s = s and s + part or part
  end
  return s
end

local second_order = {{method = "euler", steps = 4}, {method = "heun", steps = 4},
  {method = "rk4", steps = 3}, {method = "bosh3", steps = 3},
  {method = "dopri5", steps = 2}, {method = "tsit5", steps = 2}, {method = "dopri8", steps = 2},
  {method = "dopri5", steps = 4, gradient = "checkpoint", checkpoint_steps = 2}}

tests["Hessian-vector products against differences of the gradient"] = function()
  local p = parameters()
  local v = random_like(p, 5)
  for _, opts in ipairs(second_order) do
    for i = 1, 2 do
      local loss = solve_loss(spans[i], opts)
      local hvp = tide.grad(function(q) return dot(tide.grad(loss)(q), v) end)(p)
      local h = 1e-5
      local above, below = tide.grad(loss)(axpy(p, h, v)), tide.grad(loss)(axpy(p, -h, v))
      local numeric = {}
      for k in pairs(p) do numeric[k] = (above[k] - below[k]) / (2 * h) end
      near(hvp, numeric, 1e-8, ("%s, times %d"):format(opts.method, i))
      local _, forward = tide.jvp(tide.grad(loss), p, v)
      near(forward, hvp, 1e-11, opts.method .. ": forward over reverse")
    end
  end
end

tests["third derivatives"] = function()
  local function g(y)
    return tide.odeint(function(t, z) return (z * z * (t + 1)):sin() end, y, {0, 0.4, 1},
      {method = "rk4", steps = 3}):sum()
  end
  local first = tide.grad(g)
  local second = tide.grad(function(y) return first(y):sum() end)
  local third = tide.grad(function(y) return second(y):sum() end)
  local y, h = f64{0.6}, 1e-4
  near(third(y), (second(y + h) - second(y - h)) / (2 * h), 1e-6, "third")
end

tests["jvp through a solve against differences and the pullback"] = function()
  local p = parameters()
  local v = random_like(p, 9)
  for _, opts in ipairs(second_order) do
    local function solve(q) return (tide.odeint(field(q), q.y0, spans[2], opts)) end
    local y, dy = tide.jvp(solve, p, v)
    local h = 1e-5
    near(dy, (solve(axpy(p, h, v)) - solve(axpy(p, -h, v))) / (2 * h), 1e-8, opts.method)
    same_bits(y, solve(p), opts.method)
    local bar = tide.randn(y:shape(), {dtype = "float64", seed = 3})
    local value, pullback = tide.vjp(solve, p)
    same_bits(value, y, opts.method)
    near((dy * bar):sum(), dot(pullback(bar), v), 1e-12, opts.method .. ": transpose")
  end
end

tests["second derivative of an adaptive solve keeps the steps of the solve"] = function()
  local p = parameters()
  local v = random_like(p, 5)
  local want
  for _, opts in ipairs{{method = "dopri8", steps = 30}, {rtol = 1e-10, atol = 1e-10},
    {rtol = 1e-8, atol = 1e-8, gradient = "checkpoint"}} do
    local loss = solve_loss(spans[2], opts)
    local hvp = tide.grad(function(q) return dot(tide.grad(loss)(q), v) end)(p)
    if want then near(hvp, want, 1e-6, "adaptive") end
    want = want or hvp
  end
end

-- ---- compositions ----

tests["a solve inside compile: values, gradients and counts of each replay"] = function()
  local p = parameters()
  local stats
  local function loss(q, scale)
    local ys
    ys, stats = tide.odeint(field(q), q.y0 * scale, {0, 0.5, 1}, {rtol = 1e-5, atol = 1e-5})
    return loss_of(ys)
  end
  local compiled = tide.compile(tide.value_and_grad(loss))
  for _, scale in ipairs{1, 2, 0.1, 3, 1} do
    local c = f64(scale)
    local v, g = compiled(p, c)
    local nfe, backward, accepted = stats.nfe, stats.nfe_backward, stats.accepted
    local kept = stats
    local w, want = tide.value_and_grad(loss)(p, c)
    same_bits(v, w, "value")
    same_bits(g, want, "gradient")
    assert(stats.nfe == nfe and stats.nfe_backward == backward and stats.accepted == accepted
      and backward > 0)
    stats = kept
  end
  -- another step count in the same program
  local _, more = tide.odeint(field(p), p.y0 * 30, {0, 0.5, 1}, {rtol = 1e-5, atol = 1e-5})
  compiled(p, f64(30))
  assert(stats.nfe == more.nfe)
end

tests["the forward solve alone inside compile"] = function()
  local run = tide.compile(function(y, w)
    local ys, _ = tide.odeint(function(_, z) return z:matmul(w) end, y, {0, 1}, {method = "rk4", steps = 4})
    return ys[2]
  end)
  local y, w = f64{{1, 2}}, f64{{0, 1}, {-1, 0}}
  for _, c in ipairs{1, 2, 5} do
    same_bits(run(y * c, w), tide.odeint(function(_, z) return z:matmul(w) end, y * c, {0, 1},
      {method = "rk4", steps = 4})[2], "run")
  end
end

tests["two solves, one after the other and side by side"] = function()
  local p = parameters()
  check(function(q)
    local a = tide.odeint(field(q), q.y0, {0, 0.4}, {method = "rk4", steps = 3})[2]
    local b = tide.odeint(field(q), a, {0.4, 1}, {method = "dopri5", steps = 2})[2]
    local c = tide.odeint(field(q), q.y0, {0, 1}, {method = "heun", steps = 4})[2]
    return loss_of(b) + (b * c):sum()
  end, p, "two solves")
end

tests["a solve inside the field of a solve"] = function()
  local p = parameters()
  local function loss(q)
    local function inner(t, y) return (
      tide.odeint(function(s, z) return (z:matmul(q.w) * s):sin() + z * t end, y, {0, 0.3, 0.5},
      {method = "heun", steps = 2})[3]) end
    return loss_of(tide.odeint(inner, q.y0, {0, 0.6, 1}, {method = "rk4", steps = 2}))
  end
  check(loss, p, "nested")
  same_bits(tide.compile(tide.grad(loss))(p), tide.grad(loss)(p), "nested, compiled")
end

tests["a field with a gradient inside (Hamiltonian), and its derivative"] = function()
  local function hamiltonian(z, c) return (z[1] * z[1] * c):sum() * 0.5 - z[2]:cos():sum() end
  local function loss(p)
    local function f(_, z)
      local g = tide.grad(function(x) return hamiltonian(x, p.c) end)(z)
      return {-g[2], g[1]}
    end
    local ys = tide.odeint(f, {p.a, p.b}, {0, 0.5, 1}, {method = "rk4", steps = 6})
    return (ys[1] * ys[2]):sum() + ys[1]:sin():sum()
  end
  check(loss, {a = f64{0.3, -0.2}, b = f64{1, 0.5}, c = f64{1.5, 0.7}}, "Hamiltonian")
end

tests["fields that capture several tensors, integers among them"] = function()
  local w, index = f64{{0.3, -0.2}, {0.1, 0.4}}, tide.tensor({2, 1}, {dtype = "int64"})
  local mask = tide.tensor({1, 0}, {dtype = "uint8"})
  local function loss(p)
    return loss_of(tide.odeint(function(t, y)
      return y:matmul(w) * index + p.b * p.c:sum() * t + tide.where(mask, y, p.b * 0)
    end, p.y0, {0, 0.5, 1}, {method = "rk4", steps = 3}))
  end
  check(loss, {y0 = f64{{0.5, 1}}, b = f64{0.3, -0.4}, c = f64{1, 2, 3}}, "captured")
  -- integer tensors that are symbolic themselves
  local run = tide.compile(function(y, i)
    return (tide.odeint(function(_, z) return z * i end, y, {0, 1}, {method = "euler", steps = 1}))
  end)
  local ys = run(f64{1, 1}, index)
  same_bits(ys[2], f64{3, 2}, "integer input")
  local g = tide.compile(tide.grad(function(y, i)
    return tide.odeint(function(_, z) return z * i end, y, {0, 1}, {method = "euler", steps = 1})[2]:sum()
  end))(f64{1, 1}, index)
  same_bits(g, f64{3, 2}, "integer input, gradient")
end

tests["parameters that the field does not use have gradient zero"] = function()
  local g = tide.grad(function(p)
    return tide.odeint(function(_, y) return y * p.a end, f64{1}, {0, 1}, {method = "euler", steps = 1}):sum()
  end)
  local got = g{a = f64{2}, unused = f64{5, 6}}
  same_bits(got.unused, f64{0, 0}, "unused")
  same_bits(got.a, f64{1}, "used")
end

tests["more parameters than 32"] = function()
  local p = {y = f64{0.3, 0.4}}
  for i = 1, 40 do p["w" .. i] = f64{0.01 * i, -0.02 * i} end
  check(function(q)
    return tide.odeint(function(t, y)
      local dy = y * t
      for i = 1, 40 do dy = dy + (y * q["w" .. i]):sin() end
      return dy
    end, q.y, {0, 0.1}, {method = "heun", steps = 2}):sum()
  end, p, "many")
end

tests["table states and norms have gradients"] = function()
  local p = {q = f64{{0.3}, {0.4}}, v = f64{{1, 0}, {0.5, -1}}, w = f64{{0.5, -1}}}
  local function solve(r, opts)
    return tide.odeint(
      function(t, z) return {q = (z.v * r.w):sum(2, true) - z.q * t, v = z.v * z.q:cos()} end,
      {q = r.q, v = r.v},
      {0, 0.4, 1}, opts)
  end
  for _, opts in ipairs{{method = "rk4", steps = 3}, {method = "dopri8", steps = 1}} do
    check(function(r)
      local ys = solve(r, opts)
      return (ys.q * ys.q):sum() + ys.v:sin():sum()
    end, p, opts.method)
  end
  local want = tide.grad(function(r) return solve(r, {method = "dopri8", steps = 20}).q:sum() end)(p)
  for _, norm in ipairs{"batch", "sample", "part"} do
    for _, gradient in ipairs{"direct", "adjoint", "checkpoint", "interpolated"} do
      local opts = {rtol = 1e-8, atol = 1e-8, norm = norm, gradient = gradient}
      near(tide.grad(function(r) return solve(r, opts).q:sum() end)(p), want, 2e-7, norm .. " " .. gradient)
    end
  end
end

tests["gradients when the first output is used as well, and alone"] = function()
  local p = parameters()
  local g = tide.grad(
    function(q) return (tide.odeint(field(q), q.y0, {0, 1}, {method = "rk4", steps = 2})[1] * 3):sum() end)(p)
  same_bits(g.y0, f64{{3, 3}, {3, 3}}, "y0")
  same_bits(g.b, f64{0, 0}, "b")
end

tests["gradients of an empty state"] = function()
  for _, gradient in ipairs{"direct", "adjoint", "checkpoint", "interpolated"} do
    local g = tide.grad(
      function(p) return tide.odeint(function(_, y) return y * p.a end, p.y, {0, 1},
        {gradient = gradient}):sum() + p.a:sum() end){
      y = tide.zeros({0, 2}, {dtype = "float64"}), a = f64{3, 4}}
    same_bits(g.a, f64{1, 1}, gradient)
    assert(g.y:numel() == 0)
  end
end

tests["no gradient with respect to the times: an error that says so"] = function()
  local ok, message = pcall(tide.grad(function(t)
    return tide.odeint(function(_, y) return y end, f64{1}, t, {method = "euler", steps = 2}):sum()
  end),
    f64{0, 1})
  assert(not ok and tostring(message):find "times", message)
end

tests["a long solve back to back: memory of the record is reused"] = function()
  local run = tide.compile(tide.grad(function(y)
    return tide.odeint(function(_, z) return z:sin() end, y, {0, 1}, {method = "rk4", steps = 50})[2]:sum()
  end))
  local first = run(f64{1, 2})
  for _ = 1, 200 do run(f64{0.5, 0.3}) end
  same_bits(run(f64{1, 2}), first, "again")
end

-- A solve recorded inside tide.grad once owned itself: its field's tape held the outer recording, whose node
-- held the solve.
tests["solves, their gradients and second derivatives are freed"] = function()
  local core = require "tide.core"
  local p = parameters()
  local v = random_like(p, 5)
  local loss = solve_loss(spans[2], {method = "rk4", steps = 3})
  local jobs = {
    gradient = function() tide.grad(loss)(p) end,
    compiled = function() tide.compile(tide.grad(loss))(p) end,
    second = function() tide.grad(function(q) return dot(tide.grad(loss)(q), v) end)(p) end,
    jvp = function() tide.jvp(loss, p, v) end,
    pullback = function()
      select(2, tide.vjp(function(q) return (tide.odeint(field(q), q.y0, {0, 1})) end, p))(
        f64{{{1, 1}, {1, 1}}, {{1, 1}, {1, 1}}})
    end,
    adjoint = function() tide.grad(solve_loss(spans[2], {gradient = "adjoint"}))(p) end,
    failure = function()
      pcall(tide.grad(
        function(q) return tide.odeint(function(_, y) return y * y end, q.y0:abs() + 10, {0, 1}):sum() end),
        p)
    end,
    eager = function() tide.odeint(function(_, y) return -y end, p.y0, {0, 1}, {eager = true}) end,
    callback_error = function() pcall(tide.odeint, function() error {} end, p.y0, {0, 1}, {eager = true}) end,
  }
  for name, job in pairs(jobs) do
    local function live()
      collectgarbage()
      collectgarbage()
      return core.memory().live_bytes
    end
    job()
    local before = live()
    for _ = 1, 20 do job() end
    local after = live()
    assert(after - before < 4096, ("%s: %d bytes are left after 20 runs"):format(name, after - before))
  end
end

-- The k-th allocation fails, once or from there on: an error about memory or the right result, never a wrong
-- one, and all works afterwards.
tests["every allocation may fail"] = function()
  local core = require "tide.core"
  local p = parameters()
  local v = random_like(p, 5)
  local function solve(opts) return function() return tide.grad(solve_loss(spans[2], opts))(p).b[1] end end
  local second = solve_loss({0, 1}, {method = "rk4", steps = 2})
  local jobs = {
    direct = solve{method = "rk4", steps = 20}, checkpoint = solve{method = "dopri8", gradient = "checkpoint",
      checkpoint_steps = 3},
    adjoint = solve{gradient = "adjoint"}, interpolated = solve{gradient = "interpolated"},
    forward = function() return tide.odeint(field(p), p.y0, {0, 0.4, 1})[3]:sum():item() end,
    eager = function()
      return tide.odeint(function(_, y) return -y end, p.y0, {0, 1}, {eager = true})[2]:sum():item()
    end,
    plain = function()
      return tide.odeint(function(_, y) return {-y[1]} end, {1}, {0, 1}, {plain = true})[2][1]
    end,
    second = function() return tide.grad(function(q) return dot(tide.grad(second)(q), v) end)(p).b[1] end,
    jvp = function() return select(2, tide.jvp(second, p, v)):item() end,
  }
  for name, job in pairs(jobs) do
    local want = job()
    for _, sticky in ipairs{true, false} do
      local last = false
      for k = 1, sticky and 3000 or 250 do
        if k % 16 == 0 then collectgarbage() end
        core.memory_fail_after(k, sticky)
        local ok, got = pcall(job)
        core.memory_fail_after(-1, false)
        if ok then assert(got == want, ("%s: a wrong result after failure %d: %.17g for %.17g"):format(name,
          k, got, want))
        else assert(tostring(got):find "memory", ("%s, failure %d: %s"):format(name, k, tostring(got))) end
        if k % 8 == 0 then assert(job() == want, name .. ": broken after failure " .. k) end
        last = ok
        if sticky and ok then break end
      end
      assert(last or not sticky, name)
      assert(job() == want, name)
    end
  end
end

tests["a failing solve leaves the recording usable"] = function()
  local p = parameters()
  local bad = tide.grad(function(q)
    return tide.odeint(function(_, y) return y * y end, q.y0:abs() + 10, {0, 1}):sum()
  end)
  for _ = 1, 3 do
    local ok, message = pcall(bad, p)
    assert(not ok and tostring(message):find "odeint", message)
  end
  local compiled = tide.compile(function(y)
    return tide.odeint(function(_, z) return z * z end, y, {0, 1})[2]
  end)
  assert(not pcall(compiled, f64{10}))
  near(compiled(f64{0.5}), f64{1}, 1e-2, "after a failure")
  check(solve_loss(spans[1], {method = "rk4", steps = 2}), p, "after failures")
end

return tests
