--- Solving: orders, counts, dense output, controllers, fixed grids, agreement with torchdiffeq.

local check = require "check"
local tide = require "tide"

local tests = {}

local methods, explicit = {}, {}
for _, m in ipairs(check.methods()) do
  methods[#methods + 1], methods[m.name] = m, m
  if m.family == "explicit" then explicit[#explicit + 1] = m end
end

for i = #methods, 1, -1 do -- those that vary their order are in test_multistep_adaptive.lua
  methods[i].order = methods[i].default_order or methods[i].order
  if methods[i].varies then table.remove(methods, i) end
end

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end
local close, same_bits, raises = check.near, check.same_bits, check.raises

local function pendulum(_, y) return {y[2], -math.sin(y[1])} end

-- ---- orders ----

local problems = {
  autonomous = {f = pendulum, y0 = {1, 0.5}},
  ["time-dependent"] = {f = function(t, y)
    return {y[1] * math.cos(t) - 0.2 * y[1] ^ 2 + y[2] / (1 + t * t), math.sin(t * y[1]) - y[2]}
  end,
    y0 = {1, 0.5}},
}

local function fixed(p, method, from, to, steps)
  return tide.odeint(p.f, p.y0, {from, to}, {method = method, steps = steps, plain = true})[2]:totable()
end

local function distance(a, b)
  local d = 0
  for i = 1, #a do d = math.max(d, math.abs(a[i] - b[i])) end
  return d
end

for kind, p in pairs(problems) do
  -- One step of size h from exact data: the interpolant at theta has local error O(h^(q+1)), q >= order - 1
  -- at least.
  tests["order of the dense output: " .. kind] = function()
    for _, m in ipairs(methods) do
      if m.family == "multistep" then goto continue end -- test_multistep.lua: one step is a one-step method's
      local function err(h)
        local worst = 0
        for _, theta in ipairs{0.2, 0.35, 0.5, 0.65, 0.9} do
          local y = tide.odeint(p.f, p.y0, {0, theta * h, h},
            {method = m.name, steps = 1, plain = true})[2]:totable()
          worst = math.max(worst, distance(y, fixed(p, "dopri8", 0, theta * h, 8)))
        end
        return worst
      end
      -- errors of order 8 are so small that longer steps show what is next to the leading term
      local h = m.order >= 8 and 0.3 or m.order >= 7 and 0.4 or m.order >= 5 and 0.1 or 0.025
      local q = math.log(err(h) / err(h / 2), 2) - 1
      assert(q >= m.dense_order - 0.1, ("%s: order %.2f"):format(m.name, q))
      ::continue::
    end
  end
end

-- ---- counts ----

local function counted(f)
  local n = {0}
  return function(t, y) n[1] = n[1] + 1; return f(t, y) end, n
end

tests["evaluation counts: formulas, and equal to the number of calls"] = function()
  for _, m in ipairs(methods) do
    local f, n = counted(pendulum)
    local _, s = tide.odeint(f, {1, 0.5}, {0, 3}, {method = m.name, steps = 10, plain = true})
    assert(s.nfe == n[1], m.name)
  end
  for _, m in ipairs(explicit) do
    local f, n = counted(pendulum)
    local _, s = tide.odeint(f, {1, 0.5}, {0, 3}, {method = m.name, steps = 10, plain = true})
    local per_step = m.fsal and m.stages - 1 or m.stages
    assert(s.nfe == 10 * per_step + (m.fsal and 1 or 0), ("%s: %d"):format(m.name, s.nfe))
    assert(s.steps == 10 and s.accepted == 10 and s.rejected == 0 and s.nfe_backward == 0)
    if m.kind == "adaptive" then
      for _, tol in ipairs{1e-3, 1e-6} do
        f, n = counted(pendulum)
        _, s = tide.odeint(f, {1, 0.5}, {0, 3}, {method = m.name, rtol = tol, atol = tol, plain = true})
        assert(s.nfe == n[1] and s.steps == s.accepted + s.rejected, m.name)
        -- f(t0), the probe of the starting step; a rejected step of a method that is not FSAL keeps its first
        -- stage
        local formula = m.fsal and 2 + (m.stages - 1) * s.steps or 1 + m.stages * s.accepted
          + (m.stages - 1) * s.rejected
        assert(s.nfe == formula, ("%s: %d evaluations, formula %d"):format(m.name, s.nfe, formula))
        f, n = counted(pendulum)
        local _, s1 = tide.odeint(f, {1, 0.5}, {0, 3}, {method = m.name, rtol = tol, atol = tol, plain = true,
          first_step = 0.1})
        assert(s1.nfe == n[1])
        if m.fsal then assert(s1.nfe == 1 + (m.stages - 1) * s1.steps) end
      end
    end
  end
end

tests["dopri5 takes 2 + 6 k evaluations, recorded, eager and plain alike"] = function()
  local function field(t, y) return (y * 2):sin() - y * t end
  local y0, t = f64{0.3, -1}, {0, 1, 4}
  for _, tol in ipairs{1e-2, 1e-4, 1e-7} do
    local a, sa = tide.odeint(field, y0, t, {rtol = tol, atol = tol})
    local f, n = counted(field)
    local b, sb = tide.odeint(f, y0, t, {rtol = tol, atol = tol, eager = true})
    local c, sc = tide.odeint(
      function(x, y) return {math.sin(2 * y[1]) - y[1] * x, math.sin(2 * y[2]) - y[2] * x} end, {0.3, -1}, t,
      {rtol = tol, atol = tol, plain = true})
    assert(sa.nfe == 2 + 6 * sa.steps and sb.nfe == n[1])
    for _, k in ipairs{"nfe", "steps", "accepted", "rejected"} do
      assert(sa[k] == sb[k] and sa[k] == sc[k], k)
    end
    assert((a - b):abs():max():item() < 1e-12 and (a - c):abs():max():item() < 1e-12)
  end
end

tests["evaluations between outputs are counted too"] = function()
  for _, m in ipairs(methods) do
    local f, n = counted(pendulum)
    local times = {0}
    for i = 1, 30 do times[i + 1] = i / 10 end
    local _, s = tide.odeint(f, {1, 0.5}, times, {method = m.name, steps = 8, plain = true})
    assert(s.nfe == n[1], m.name)
    if m.kind == "adaptive" then
      f, n = counted(pendulum)
      _, s = tide.odeint(f, {1, 0.5}, times, {method = m.name, plain = true})
      assert(s.nfe == n[1], m.name)
    end
  end
end

tests["counted adds up every solve that runs in it"] = function()
  local function decay(y) return tide.odeint(function(_, u) return -u end, y, {0, 1}) end
  local compiled = tide.compile(function(y) return (decay(decay(y)[2])) end)
  compiled(tide.ones{2})
  local _, a, b, c, inner
  local stats, value = tide.ode.counted(function(y)
    _, a = tide.odeint(pendulum, {1, 0}, {0, 1}, {plain = true})
    _, b = tide.odeint(function(_, u) return -1 * u end, y, {0, 1}, {eager = true})
    _, c = decay(y)
    inner = tide.ode.counted(compiled, y)
    assert(not pcall(tide.ode.counted, error, "stop"))
    return "kept"
  end, tide.ones{2})
  assert(value == "kept" and inner.nfe == 2 * c.nfe)
  for _, key in ipairs{"nfe", "steps", "accepted", "rejected"} do
    assert(stats[key] == a[key] + b[key] + c[key] + inner[key], key)
  end
  assert(tide.ode.counted(function() end).nfe == 0)
end

-- ---- output times ----

tests["output times change neither the steps nor the end"] = function()
  for _, m in ipairs(methods) do
    for _, reverse in ipairs{false, true} do
      for _, opts in ipairs{{steps = 9}, {step_size = 0.17}, {}} do
        if opts.steps or opts.step_size or m.kind == "adaptive" then
          opts.method, opts.plain = m.name, true
          local a, b = reverse and 2 or 0, reverse and 0 or 2
          local few, s1 = tide.odeint(pendulum, {1, 0.5}, {a, b}, opts)
          local times = {}
          for i = 0, 500 do times[i + 1] = i == 500 and b or a + (b - a) * i / 500 end
          local many, s2 = tide.odeint(pendulum, {1, 0.5}, times, opts)
          same_bits(few[2], many[501], m.name)
          assert(s1.steps == s2.steps and s1.rejected == s2.rejected, m.name)
          if m.interpolation == nil and m.fsal then assert(s1.nfe == s2.nfe, m.name) end
          local worst = 0
          for i = 2, 501 do worst = math.max(worst, distance(many[i]:totable(), many[i - 1]:totable())) end
          assert(worst < 0.03, ("%s: a jump of %.3g"):format(m.name, worst))
        end
      end
    end
  end
end

tests["10,000 output times: same end to the last bit"] = function()
  local times = {}
  for i = 0, 10000 do times[i + 1] = 3 * i / 10000 end
  for _, method in ipairs{"dopri5", "dopri8", "bosh3"} do
    local a = tide.odeint(pendulum, {1, 0.5}, {0, 3}, {method = method, plain = true})
    local b = tide.odeint(pendulum, {1, 0.5}, times, {method = method, plain = true})
    same_bits(a[2], b[10001], method)
  end
end

tests["outputs on the grid of a fixed step are the steps' own values"] = function()
  for _, m in ipairs(methods) do
    local times = {0}
    for i = 1, 10 do times[i + 1] = i * 0.1 end -- 0.1 * 3 is not 0.3
    local ys, s = tide.odeint(pendulum, {1, 0.5}, times, {method = m.name, step_size = 0.1, plain = true})
    for i = 1, 10 do
      local alone = tide.odeint(pendulum, {1, 0.5}, {0, i / 10}, {method = m.name, steps = i, plain = true})
      assert(distance(ys[i + 1]:totable(), alone[2]:totable()) < (m.family == "explicit" and 1e-15 or 1e-13),
        m.name)
    end
    assert(s.steps == 10
      and (m.family ~= "explicit"
        or s.nfe == 10 * (m.fsal and m.stages - 1 or m.stages) + (m.fsal and 1 or 0)), m.name)
  end
end

tests["the first output is y0, for times as table, float32, float64 and int64 tensors"] = function()
  local y0 = f64{1, 0.5}
  local function f(t, y) return y * t - y:sin() end
  local want = tide.odeint(f, y0, {0, 1, 3})
  same_bits(want[1], y0, "first")
  for _, dtype in ipairs{"float32", "float64", "int64"} do
    same_bits(tide.odeint(f, y0, tide.tensor({0, 1, 3}, {dtype = dtype})), want, dtype)
  end
end

-- ---- fixed grids ----

tests["a step size that does not divide the span has a short last step"] = function()
  local seen = {}
  local _, s = tide.odeint(function(t, y) seen[#seen + 1] = t; return {-y[1]} end, {1}, {0, 1},
    {method = "euler", step_size = 0.3, plain = true})
  assert(s.steps == 4 and s.nfe == 4)
  for i, t in ipairs{0, 0.3, 0.6, 0.9} do close(seen[i], t, 1e-15) end
  local ys = tide.odeint(function(_, y) return {-y[1]} end, {1}, {0, 1},
    {method = "euler", step_size = 0.3, plain = true})
  close(ys[2]:totable()[1], 0.7 ^ 3 * 0.9, 1e-15)
end

tests["a step size that is longer than the span is one step"] = function()
  local ys, s = tide.odeint(function(_, y) return {-y[1]} end, {1}, {0, 1},
    {method = "euler", step_size = 5, plain = true})
  assert(s.steps == 1)
  close(ys[2]:totable()[1], 0, 1e-15)
end

tests["a span slightly longer than whole steps is integrated to its end"] = function()
  local ys, s = tide.odeint(function() return {1} end, {0}, {0, 1 + 4e-11},
    {method = "euler", step_size = 0.1, plain = true})
  assert(s.steps == 10)
  close(ys[2]:totable()[1], 1 + 4e-11, 1e-15)
end

tests["steps = K makes K equal steps over the whole span, whatever the outputs"] = function()
  for _, times in ipairs{{0, 1}, {0, 0.4, 1}, {1, 0}} do
    local _, s = tide.odeint(pendulum, {1, 0}, times, {method = "rk4", steps = 7, plain = true})
    assert(s.steps == 7 and s.accepted == 7)
  end
end

tests["adaptive methods take fixed steps too, without a probe"] = function()
  for _, name in ipairs{"dopri5", "bosh3", "tsit5", "dopri8"} do
    local _, s = tide.odeint(pendulum, {1, 0}, {0, 1}, {method = name, step_size = 0.25, plain = true})
    assert(s.steps == 4)
  end
end

-- t_n = t0 + n h, not a sum: with 2e5 steps of 0.1 a sum of float64 is off by 1e-8 or so.
tests["many fixed steps keep their times"] = function()
  local worst, n = 0, 0
  tide.odeint(function(t) worst, n = math.max(worst, math.abs(t - n * 0.1)), n + 1; return {0} end, {0},
    {0, 20000},
    {method = "euler", step_size = 0.1, plain = true})
  assert(n == 200000, n)
  assert(worst <= 2 ^ -38, worst)
end

tests["a fixed grid obeys max_steps when it is given, before any work"] = function()
  local calls = 0
  local function f() calls = calls + 1; return {0} end
  raises("fixed grid needs more than max_steps", tide.odeint, f, {0}, {0, 1},
    {method = "euler", steps = 11, max_steps = 10, plain = true})
  raises("fixed grid needs more than max_steps", tide.odeint, f, {0}, {0, 1},
    {method = "euler", step_size = 1e-300, plain = true})
  raises("step size underflow", tide.odeint, f, {0}, {1e17, 1e17 + 1e4},
    {method = "euler", step_size = 1, plain = true})
  assert(calls == 0)
end

-- ---- kinds of states ----

tests["states may be scalars, matrices and tables of tensors"] = function()
  local y = tide.odeint(function(_, y) return -y end, tide.tensor(2, {dtype = "float64"}), {0, 1},
    {rtol = 1e-9, atol = 1e-9})
  assert(#y:shape() == 1)
  close(y[2], 2 * math.exp(-1), 1e-8)
  local state = {q = f64{{1, 2}, {3, 4}}, p = {f64{0, 0}, 5, name = "kept"}}
  local ys, s = tide.odeint(function(t, z) return {q = z.q * -1, p = {z.q:sum(1) * t}} end, state,
    {0, 0.5, 1},
    {rtol = 1e-9, atol = 1e-9, norm = "batch"})
  assert(ys.p[2] == 5 and ys.p.name == "kept")
  assert(table.concat(ys.q:shape(), ",") == "3,2,2" and table.concat(ys.p[1]:shape(), ",") == "3,2")
  close(ys.q[3]:totable()[2][1], 3 * math.exp(-1), 1e-8)
  close(ys.p[1][3]:totable()[1], 4 * (1 - 2 * math.exp(-1)), 1e-8)
  local flat, s2 = tide.odeint(function(t, z)
    local q = z:slice(1, 1, 4)
    return tide.cat({-q, (q:reshape{2, 2}:sum(1) * t)}, 1)
  end, f64{1, 2, 3, 4, 0, 0}, {0, 0.5, 1}, {rtol = 1e-9, atol = 1e-9})
  assert(s.nfe == s2.nfe)
  close(flat[3]:totable()[5], ys.p[1][3]:totable()[1], 1e-15)
end

tests["eager table states equal recorded ones"] = function()
  local state = {f64{1, 2}, f64{{3}}}
  local function f(t, z) return {z[1] * -t, z[2] * z[1]:sum()} end
  local a, b = tide.odeint(f, state, {0, 1}), tide.odeint(f, state, {0, 1}, {eager = true})
  same_bits(a[1], b[1], "first")
  same_bits(a[2], b[2], "second")
end

tests["an empty state is solved at no cost"] = function()
  local ys, s = tide.odeint(function(_, y) return y end, tide.zeros{0, 3}, {0, 1})
  assert(table.concat(ys:shape(), ",") == "2,0,3" and s.steps == 0)
end

tests["views as y0 work and y0 is not modified"] = function()
  local base = f64{{1, 2}, {3, 4}}
  local ys = tide.odeint(function(_, y) return -y end, base:transpose(1, 2), {0, 1},
    {rtol = 1e-8, atol = 1e-8})
  close(ys[2]:totable()[1][2], 3 * math.exp(-1), 1e-7)
  same_bits(base, f64{{1, 2}, {3, 4}}, "base")
end

tests["float32 states: time in float64, result near the float64 one"] = function()
  local function f(t, y) return y * t - y:sin() end
  local a, s = tide.odeint(f, tide.tensor{1, 0.5}, {0, 1, 3}, {rtol = 1e-5, atol = 1e-5})
  local b, s2 = tide.odeint(f, f64{1, 0.5}, {0, 1, 3}, {rtol = 1e-5, atol = 1e-5})
  assert(a:dtype() == "float32" and s.steps == s2.steps)
  assert((a:to "float64" - b):abs():max():item() < 1e-3 * b:abs():max():item())
  -- a constant field at a large time: 1e4 + h is not a float32, the steps must be right all the same
  local c = tide.odeint(function(_, y) return y * 0 + 1 end, tide.zeros{1}, {1e4, 1e4 + 1e-3},
    {method = "euler", steps = 10})
  close(c[2]:totable()[1], 1e-3, 1e-9)
end

tests["constant fields and fields that ignore the state"] = function()
  local ys = tide.odeint(function() return f64{1, 2} end, f64{0, 0}, {0, 2})
  close(ys[2]:totable()[2], 4, 1e-12)
  ys = tide.odeint(function(t, y) return y * 0 + t end, f64{0}, {0, 2})
  close(ys[2]:totable()[1], 2, 1e-6)
end

-- ---- controllers and their options ----

tests['norm = "sample" controls each sample, "batch" the mean'] = function()
  local y0 = f64{{1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}}
  local rates = f64{{30}, {0}, {0}, {0}, {0}, {0}, {0}, {0}}
  local function f(_, y) return -(y * rates) end
  local _, batch = tide.odeint(f, y0, {0, 1}, {rtol = 1e-6, atol = 1e-6})
  local _, sample = tide.odeint(f, y0, {0, 1}, {rtol = 1e-6, atol = 1e-6, norm = "sample"})
  local _, alone = tide.odeint(function(_, y) return y * -30 end, f64{{1}}, {0, 1},
    {rtol = 1e-6, atol = 1e-6})
  assert(sample.nfe == alone.nfe, ("%d and %d"):format(sample.nfe, alone.nfe))
  assert(batch.nfe < sample.nfe)
  -- the same with the sample spread over two tensors of a state
  local _, pair = tide.odeint(function(_, z) return {-(z[1] * rates), -(z[2] * rates)} end, {y0, y0}, {0, 1},
    {rtol = 1e-6, atol = 1e-6, norm = "sample"})
  assert(pair.nfe == alone.nfe)
end

tests["options of the controller do what they say"] = function()
  local function nfe(opts)
    opts.plain, opts.rtol, opts.atol = true, 1e-6, 1e-6
    local steps = {}
    local _, s = tide.odeint(pendulum, {2, 0}, {0, 20}, opts)
    return s, steps
  end
  local default = nfe{}
  assert(nfe{safety = 0.5}.accepted > default.accepted)
  assert(nfe{max_factor = 1}.accepted > default.accepted)
  assert(nfe{first_step = 1e-6}.steps > default.steps)
  assert(nfe{first_step = 100}.rejected >= 1)
  assert(nfe{controller = "PI"}.steps ~= 0 and nfe{controller = "PID"}.steps ~= 0)
  -- with min_factor 0.9, a first step of 20 is shrunk by at most 10 % a time
  assert(nfe{first_step = 20, min_factor = 0.9}.rejected > nfe{first_step = 20}.rejected)
  raises("max_steps", nfe, {max_steps = 5})
  assert(nfe{max_steps = default.steps}.steps == default.steps)
end

tests["I, PI and PID hold the error near the tolerance"] = function()
  local exact = tide.odeint(pendulum, {2, 0}, {0, 20}, {plain = true, method = "dopri8", rtol = 1e-13,
    atol = 1e-13})[2]:totable()
  for _, controller in ipairs{"I", "PI", "PID"} do
    local ys = tide.odeint(pendulum, {2, 0}, {0, 20}, {plain = true, controller = controller, rtol = 1e-7,
      atol = 1e-7})
    local e = distance(ys[2]:totable(), exact)
    assert(e < 1e-4 and e > 1e-10, ("%s: %.3g"):format(controller, e))
  end
end

-- The default controller by hand: dopri5 over one component, scipy's policy.
local function by_hand(f, y, t, t1, rtol, atol)
  local m = methods.dopri5
  local k1, p = f(t, y), 4
  local sc = atol + rtol * math.abs(y)
  local d0, d1 = math.abs(y / sc), math.abs(k1 / sc)
  local h0 = (d0 < 1e-5 or d1 < 1e-5) and 1e-6 or 0.01 * d0 / d1
  local d2 = math.abs((f(t + h0, y + h0 * k1) - k1) / sc) / h0
  local h1 = math.max(d1, d2) <= 1e-15 and math.max(1e-6, h0 * 1e-3)
    or (0.01 / math.max(d1, d2)) ^ (1 / (p + 1))
  local h, steps, rejected = math.min(100 * h0, h1, t1 - t), 0, false
  while t < t1 do
    local last = h >= (t1 - t) * (1 - 1e-3)
    if last then h = t1 - t end
    local k = {k1}
    for i = 2, 7 do
      local s = y
      for j = 1, i - 1 do s = s + h * m.A[i][j] * k[j] end
      k[i] = f(t + m.c[i] * h, s)
    end
    local next, e = y, 0
    for i = 1, 7 do next, e = next + h * m.b[i] * k[i], e + h * m.b_error[i] * k[i] end
    e = math.abs(e) / (atol + rtol * math.max(math.abs(y), math.abs(next)))
    steps = steps + 1
    if e <= 1 then
      t, y, k1 = last and t1 or t + h, next, k[7]
      h = h * math.min(math.max(0.9 * e ^ -0.2, 0.2), rejected and 1 or 10)
      rejected = false
    else
      h, rejected = h * math.max(0.9 * e ^ -0.2, 0.2), true
    end
  end
  return y, steps
end

tests["steps and values agree with dopri5 written out by hand"] = function()
  local function f(t, y) return math.cos(5 * t) * y * y - math.sin(y) end
  for _, tol in ipairs{1e-3, 1e-6, 1e-9} do
    local y, steps = by_hand(f, 1.3, 0, 8, tol, tol)
    local ys, s = tide.odeint(function(t, z) return {f(t, z[1])} end, {1.3}, {0, 8},
      {plain = true, rtol = tol, atol = tol})
    assert(s.steps == steps, ("%d and %d steps"):format(s.steps, steps))
    assert(s.rejected > 0)
    close(ys[2]:totable()[1], y, 1e-10 * math.abs(y))
  end
end

tests["initial_step agrees with Hairer's rule by hand"] = function()
  local function norm(x, sc)
    local s = 0
    for i = 1, #x do s = s + (x[i] / sc[i]) ^ 2 end
    return math.sqrt(s / #x)
  end
  local function hand(f, t0, y, p, rtol, atol)
    local sc, f0, y1, d = {}, f(t0, y), {}, {}
    for i = 1, #y do sc[i] = atol + rtol * math.abs(y[i]) end
    local d0, d1 = norm(y, sc), norm(f0, sc)
    local h0 = (d0 < 1e-5 or d1 < 1e-5) and 1e-6 or 0.01 * d0 / d1
    for i = 1, #y do y1[i] = y[i] + h0 * f0[i] end
    local f1 = f(t0 + h0, y1)
    for i = 1, #y do d[i] = f1[i] - f0[i] end
    local d2 = norm(d, sc) / h0
    local h1 = math.max(d1, d2) <= 1e-15 and math.max(1e-6, h0 * 1e-3)
      or (0.01 / math.max(d1, d2)) ^ (1 / (p + 1))
    return math.min(100 * h0, h1)
  end
  local fields = {pendulum, function(t, y) return {y[1] * t, y[2] - 100 * y[1]} end, function()
    return {0, 0}
  end,
    function(t) return {t, 1e-9} end}
  for i, f in ipairs(fields) do
    for _, y0 in ipairs{{1, 0.5}, {0, 0}, {1e5, -1e-3}} do
      for _, p in ipairs{1, 4, 7} do
        for _, tol in ipairs{1e-3, 1e-8} do
          local want = hand(f, 0.7, y0, p, tol, tol / 10)
          local got = tide.ode.initial_step(function(t, y) return f64(f(t, y:totable())) end, 0.7, f64(y0), p,
            tol, tol / 10)
          assert(math.abs(got - want) <= 1e-10 * want, ("field %d: %.17g and %.17g"):format(i, got, want))
        end
      end
    end
  end
end

-- ---- agreement with torchdiffeq ----

-- torchdiffeq 0.2.5, float64, method "dopri5", rtol = atol = tol: evaluations and the states at all times
-- after the first.
local golden = {
  {"vdp", 0.001, 158, {1.50598370789538, -0.7826677083657, -0.850405718140486, -2.68087161277615,
    1.89709383484179,
    -0.464980073706387}},
  {"vdp", 1e-06, 392, {1.50814360655054, -0.780219150725625, -0.840969646181872, -2.67748259897852,
    1.92015013376666,
    -0.435842558787505}},
  {"vdp", 1e-08, 824, {1.50814423027722, -0.780218087422159, -0.840966051520544, -2.67747898267451,
    1.92015239888868,
    -0.435838557205168}},
  {"nonaut", 0.001, 32, {1.74491685876854, 2.6891218942042, 0.71753855803459, 1.040535102929}},
  {"nonaut", 1e-06, 92, {1.74381159717442, 2.68778535167781, 0.717187486154487, 1.0415111026922}},
  {"nonaut", 1e-08, 176, {1.74380803381536, 2.687781472002, 0.717186615410371, 1.04150969035431}},
  {"kepler", 0.001, 248, {-0.439951767949222, -0.865069141576887, 1.01929068035233, 0.0210397231576212,
    -0.703518704408669,
    -0.617207464541244, 0.840252040988489, -0.495155511589393}},
  {"kepler", 1e-06, 692, {-0.700928869617447, -0.848406620033845, 0.890158655111984, -0.15810417919754,
    -0.578257126371711,
    0.863221251343935, -0.959474960002017, -0.0653619494375534}},
  {"kepler", 1e-08, 1448, {-0.700828266124778, -0.848381697591292, 0.890234275133118, -0.158051579121105,
    -0.578040624504828,
    0.863383465989532, -0.959510359645136, -0.0650474746773884}},
  {"back", 0.001, 20, {1.60351695527469, 1.84487538199202, 0.375129617496634, 2.49835444313938}},
  {"back", 1e-06, 62, {1.60347490657536, 1.83583564655908, 0.379777990016705, 2.47702250059722}},
  {"back", 1e-08, 152, {1.60347607917323, 1.83583919542061, 0.379782192718214, 2.47702147616645}},
}

tests['final = "interpolate" with dopri5_shampine is torchdiffeq\'s dopri5'] = function()
  local function vdp(_, y) return {y[2], (1 - y[1] ^ 2) * y[2] - y[1]} end
  local fields = {
    vdp = {vdp, {2, 0}, {0, 1, 2.5, 7}}, back = {vdp, {2, 0}, {1, 0.5, 0}},
    nonaut = {function(t, y) return {y[1] * math.cos(t) - 0.1 * y[1] ^ 2, y[2] * math.cos(t) - 0.1
      * y[2] ^ 2} end, {1, 2}, {0, 2, 3}},
    kepler = {function(_, y)
      local r3 = (y[1] ^ 2 + y[2] ^ 2) ^ 1.5
      return {y[3], y[4], -y[1] / r3, -y[2] / r3}
    end, {0.5, 0, 0, math.sqrt(3)}, {0, 5, 20}},
  }
  for _, g in ipairs(golden) do
    local name, tol, nfe, values = table.unpack(g)
    local f, y0, times = table.unpack(fields[name])
    local ys, s = tide.odeint(f, y0, times, {method = "dopri5_shampine", final = "interpolate", rtol = tol,
      atol = tol, plain = true})
    assert(s.nfe == nfe, ("%s at %g: %d evaluations, torchdiffeq %d"):format(name, tol, s.nfe, nfe))
    local flat = ys:slice(1, 2, #times):reshape{-1}:totable()
    for i, v in ipairs(values) do close(flat[i], v, 5e-11, name) end
  end
end

tests['final = "interpolate" evaluates f past the end, "clip" does not'] = function()
  local latest
  local function f(t, y) latest = math.max(latest, t); return pendulum(t, y) end
  latest = 0
  local a, s = tide.odeint(f, {1, 0}, {0, 1}, {plain = true, final = "interpolate"})
  assert(latest > 1 and s.nfe == 2 + 6 * s.steps)
  latest = 0
  local b = tide.odeint(f, {1, 0}, {0, 1}, {plain = true})
  assert(latest <= 1)
  assert(distance(a[2]:totable(), b[2]:totable()) < 1e-3)
end

-- ---- long spans ----

tests["small steps at the start of a very long span are no underflow"] = function()
  local ys = tide.odeint(function(t, y) return {-y[1] / (1 + t)} end, {1}, {0, 1e12},
    {plain = true, rtol = 1e-6, atol = 1e-20, first_step = 1e-6})
  close(ys[2]:totable()[1] * (1 + 1e12), 1, 1e-3)
end

tests["times may be close together, tiny or huge"] = function()
  for _, t in ipairs{{0, 1e-200}, {1e200, 2e200}, {1, 1 + 2 ^ -47}, {-1e-300, 0}} do
    local ys = tide.odeint(function(_, y) return {0 * y[1]} end, {1}, t, {plain = true})
    assert(ys[2]:totable()[1] == 1)
  end
  raises("too long", tide.odeint, pendulum, {1, 0}, {-1.7e308, 1.7e308}, {plain = true})
end

return tests
