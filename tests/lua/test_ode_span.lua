--- Where a solve evaluates its field: within the span, at its ends exactly, forwards and in gradients; and
-- spans that cannot be resolved.

local tide = require "tide"
local check = require "check"

local tests = {}
local fails, near = check.fails, check.near
local methods, varying, smooth = {}, {}, {}
for _, m in ipairs(check.methods()) do
  varying[m.name] = m.varying_order
  smooth[m.name] = m.family == "rosenbrock" -- these take df/dt, so it has to be there
  if not check.looks_outside(m) then methods[#methods + 1] = m end
end

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end

-- Every way to solve: all methods with fixed steps, and those that can with steps that adapt.
local function ways(steps)
  local list = {}
  for _, m in ipairs(methods) do
    if not m.varies then
      for _, n in ipairs(steps) do list[#list + 1] = {method = m.name, steps = n} end
      list[#list + 1] = {method = m.name, step_size = 0.0137}
    end
    if m.kind == "adaptive" then list[#list + 1] = {method = m.name, rtol = 1e-3, atol = 1e-4} end
  end
  return list
end

local with = check.with

tests["no evaluation is outside of the span, its ends are hit exactly"] = function()
  local all = {}
  for n = 1, 60 do all[n] = n end
  for _, opts in ipairs(ways(all)) do
    for _, T in ipairs{1, 0.3, 0.7, 8e-3} do
      for _, span in ipairs{{0, T}, {T, 0}} do
        local low, high = math.huge, -math.huge
        tide.odeint(function(t) low, high = math.min(low, t), math.max(high, t); return {math.sqrt(t)} end,
          {0}, {span[1], T / 3, span[2]},
          with(opts, {plain = true}))
        assert(low >= 0 and high <= T, ("%s over %g..%g: t = %.17g .. %.17g"):format(opts.method, span[1],
          span[2], low, high))
        local c_end = span[2] > 0 and high or low
        if opts.method == "rk4" or opts.method == "dopri5" then assert(c_end == span[2], opts.method) end
      end
    end
  end
end

-- Two functions of t that are NaN outside of 0..T, so that what looks there is, and the integral of both.
local function inside(method, t, T)
  if not smooth[method] then return tide.sqrt(t) + tide.sqrt(T - t), 4 / 3 * T ^ 1.5 end
  return t ^ 1.5 + (T - t) ^ 1.5, 4 / 5 * T ^ 2.5
end

tests["gradients look at the field within the span only"] = function()
  for _, T in ipairs{0.3, 0.7, 8e-3} do
    for _, opts in ipairs(ways{1, 3, 7, 50}) do
      local kinds = {"direct", "adjoint", "interpolated"}
      if not (varying[opts.method] and opts.rtol) then kinds[4] = "checkpoint" end
      for _, gradient in ipairs(kinds) do
        for _, span in ipairs{{0, T}, {T, 0}} do
          local g = tide.grad(function(p)
            return tide.odeint(function(t, y) return p * (inside(opts.method, t, T)) + 0 * y end,
              f64{1}, {span[1], 0.6 * T, span[2]},
              with(opts, {gradient = gradient, checkpoint_steps = 3}))[3]:sum()
          end)(f64(0.5)):item()
          local want = select(2, inside(opts.method, f64(0), T)) * (span[2] > 0 and 1 or -1)
          assert(math.abs(g - want) < 0.4 * math.abs(want), ("%s %s over %g..%g: %g for %g"):format(
            opts.method, gradient, span[1], span[2], g, want))
        end
      end
    end
  end
end

tests["dense output and steps of its own stay inside"] = function()
  local T = 0.7
  local times = {}
  for i = 0, 100 do times[i + 1] = i == 100 and T or T * i / 100 end
  for _, opts in ipairs(ways{3, 7}) do
    local y = tide.odeint(function(t, y) return (inside(opts.method, t, T)) + 0 * y end, f64{0}, times, opts)
    assert(math.abs(y[101][1] - select(2, inside(opts.method, f64(0), T))) < 0.3, opts.method)
  end
end

tests["the probe of the starting step, and a first_step that is too long, stay inside"] = function()
  for _, m in ipairs(methods) do
    if m.kind == "adaptive" then
      for _, opts in ipairs{{}, {first_step = 1e3}, {first_step = 1e-5}} do
        for _, span in ipairs{{0, 1e-3}, {0, -1e-3}, {5, 5 + 1e-9}} do
          local low, high = math.min(span[1], span[2]), math.max(span[1], span[2])
          local ys = tide.odeint(function(t)
            assert(t >= low and t <= high, "no data at t = " .. t)
            return {2 + t - span[1]}
          end, {5}, span, with(opts, {plain = true, method = m.name}))
          local d = span[2] - span[1]
          -- it begins with order 1; df/dt comes from a difference
          local off = m.varying_order and 1e-6 or smooth[m.name] and 1e-11 or 1e-12
          near(ys[2][1], 5 + 2 * d + d * d / 2, off)
        end
      end
    end
  end
  -- where the span does not cut it, the rule is what it was; the function itself has no cap
  local function f(_, y) return -y end
  local h = tide.ode.initial_step(f, 0, f64{5}, 4, 1e-3, 1e-6)
  local _, free = tide.odeint(f, f64{5}, {0, 100 * h})
  local _, given = tide.odeint(f, f64{5}, {0, 100 * h}, {first_step = h})
  assert(free.steps == given.steps and free.nfe == given.nfe + 1)
end

tests["fixed grids have their nodes at t0 + k h"] = function()
  for _, m in ipairs{"euler", "rk4", "dopri5", "dopri8"} do
    local t0, h, seen = 0.1, 0.0137, {}
    tide.odeint(function(t) seen[t] = true; return {0} end, {0}, {t0, t0 + 20.5 * h},
      {method = m, step_size = h, plain = true})
    for k = 0, 20 do assert(seen[t0 + k * h], ("%s: node %d"):format(m, k)) end
  end
end

tests["a step that is short by rounding is merged into the last one"] = function()
  local seen = {}
  tide.odeint(function(t) seen[#seen + 1] = t; return {1} end, {0}, {1e6, 1e6 + 4e-6},
    {method = "euler", step_size = 1e-6 * (1 + 1e-5), plain = true})
  assert(#seen == 4, #seen)
end

tests["spans and steps that float64 does not resolve are errors"] = function()
  local function f() return {1} end
  for _, opts in ipairs{{}, {method = "rk4", steps = 1}, {method = "euler", step_size = 1e-9}} do
    for _, span in ipairs{{1, 1 + 2 ^ -50}, {1.6e9, 1.6e9 + 1e-6}, {1e17, 1e17 + 100},
      {-1e300, -1e300 * (1 + 2 ^ -51)}} do
      fails({"odeint", "too short to be resolved", "shift or rescale t"}, tide.odeint, f, {0}, span,
        with(opts, {plain = true}))
    end
  end
  fails({"step size underflow", "do not resolve t"}, tide.odeint, f, {0}, {1e9, 1e9 + 1},
    {method = "euler", step_size = 1e-7, plain = true})
  fails({"step size underflow", "do not resolve t"}, tide.odeint, f, {0}, {1e9, 1e9 + 1e-3},
    {method = "rk4", steps = 1000, plain = true})
  fails("step size underflow", tide.odeint, f, {0}, {1e9, 1e9 + 1}, {first_step = 1e-7, plain = true})
  near(tide.odeint(f, {0}, {1e9, 1e9 + 1}, {plain = true})[2][1], 1, 1e-12)
end

tests["accepted steps always move t"] = function()
  for _, f in ipairs{function(t) return {t < 0.5 and 0 or 1e200 * math.random()} end, function(_, y)
    return {y[1] ^ 2}
  end,
    function(t) return {1 / (t - 0.5) ^ 2} end, function(t) return {math.abs(t - 1 / 3) ^ -0.9} end} do
    local last, same = nil, 0
    pcall(tide.odeint, function(t, y)
      if t == last then same = same + 1 else same = 0 end
      last = t
      assert(same < 20, "no advance")
      return f(t, y)
    end, {1}, {0, 2}, {plain = true, max_steps = 20000})
  end
end

-- ---- the norm ----

local function oscillator(n)
  return function(_, s) return {x = tide.stack{s.x[2], -4 * s.x[1]}, c = 0 * s.c} end,
    {x = f64{1, 0}, c = tide.ones({n}, {dtype = "float64"})}
end

tests["an idle part does not hide the error of another"] = function()
  local alone = select(2, tide.odeint(function(_, x) return tide.stack{x[2], -4 * x[1]} end, f64{1, 0},
    {0, 20}, {rtol = 1e-4, atol = 1e-4}))
  for _, n in ipairs{1, 1000, 100000} do
    local f, y0 = oscillator(n)
    local ys, s = tide.odeint(f, y0, {0, 20}, {rtol = 1e-4, atol = 1e-4})
    near(ys.x[2][1], math.cos(40), 5e-3)
    assert(s.steps == alone.steps)
  end
  local f, y0 = oscillator(1000)
  local _, batch = tide.odeint(f, y0, {0, 20}, {rtol = 1e-4, atol = 1e-4, norm = "batch"})
  assert(batch.steps < alone.steps)
end

tests["the continuous adjoint judges the parts of y and of its cotangent each by itself"] = function()
  local function gradient(n, norm, kind)
    return tide.grad(function(p)
      local y0 = {x = f64{1, 0}, c = tide.ones({n}, {dtype = "float64"})}
      local ys = tide.odeint(function(_, s) return {x = tide.stack{s.x[2], -p * s.x[1]}, c = 0 * s.c} end, y0,
        {0, 10},
        {rtol = 1e-5, atol = 1e-5, gradient = kind, norm = norm})
      return ys.x[2]:slice(1, 1, 1):sum()
    end)(f64(4)):item()
  end
  local want = -math.sin(20) * 10 / 4 -- d cos(sqrt(p) t) / dp
  for _, kind in ipairs{"adjoint", "interpolated", "direct"} do
    near(gradient(20000, "part", kind), want, 5e-3)
  end
end

tests["one tensor: part and batch are the same to the last bit"] = function()
  local function f(t, y) return (y * 3):sin() * t - y end
  for _, dtype in ipairs{"float32", "float64"} do
    local y0 = tide.randn({7, 5}, {dtype = dtype, seed = 1})
    local a, sa = tide.odeint(f, y0, {0, 1, 5})
    local b, sb = tide.odeint(f, y0, {0, 1, 5}, {norm = "batch"})
    assert((a - b):abs():max():item() == 0 and sa.nfe == sb.nfe)
  end
end

return tests
