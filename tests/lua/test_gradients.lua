--- Derivatives of a solve: direct, checkpoint, adjoint, interpolated, what they count and how near they are.

local cases = require "gradient_cases"
local tide = require "tide"

local tests = {}
local f64, same_bits, near, check, field = cases.f64, cases.same_bits, cases.near, cases.check, cases.field
local parameters, loss_of, solve_loss, spans = cases.parameters, cases.loss_of, cases.solve_loss, cases.spans

local methods, by_name = require("check").methods(), {}
for i = #methods, 1, -1 do -- those that vary their order have no fixed steps: test_multistep_adaptive.lua
  by_name[methods[i].name] = methods[i]
  if methods[i].varies then table.remove(methods, i) end
end
local with = require("check").with

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
  for _, name in ipairs{"heun", "bosh3", "rk4", "dopri5", "tsit5", "dopri8", "dop853"} do
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
      local w, y0 = cases.flat(g.w), cases.flat(g.y0)
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
      if m.kind == "adaptive" and not m.varying_order then
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
    for _, method in ipairs{"dopri5", "tsit5", "dopri8", "dop853", "bosh3"} do
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

tests["continuous adjoints pass outputs that are neighbours, and those beside an event"] = function()
  local p, tiny = parameters(), 2.0 ^ -53
  local events = {{g = function(t) return t - 0.3 end, apply = function(_, y) return y * 0.9 end}}
  for _, times in ipairs{{0, 0.3, 0.3 + tiny, 0.3 + 8 * tiny, 1}, {1, 1 - tiny, 0.3, 0.3 - tiny / 2, 0}} do
    for _, e in ipairs{false, events} do
      local function gradient(kind)
        return tide.grad(solve_loss(times, {method = "dopri8", steps = 40, gradient = kind,
          events = e or nil}))(p)
      end
      local want = gradient "direct"
      for _, kind in ipairs{"adjoint", "interpolated"} do near(gradient(kind), want, 1e-9, kind) end
    end
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

return tests
