--- per_sample = true: each sample takes its own steps, and is the solve of that sample alone.

local check = require "check"
local van_der_pol = require "oscillators"
local tide = require "tide"

local tests = {}
local fails = check.fails
local f64 = {dtype = "float64"}

local function start(n, dtype)
  local rows = {}
  for i = 1, n do rows[i] = {2, 0.1 * i, 10 ^ (-1 + 2 * (i - 1) / math.max(1, n - 1))} end
  return tide.tensor(rows, {dtype = dtype or "float64"})
end

local function same(what, a, b)
  local got, want = a:reshape{-1}:totable(), b:reshape{-1}:totable()
  for i, v in ipairs(want) do
    if got[i] ~= v then error(("%s: number %d is %.17g, not %.17g"):format(what, i, got[i], v), 2) end
  end
end
local with = check.with
local SAMPLES = {per_sample = true}

-- The solve beside those of the samples alone.
local function beside(f, y0, t, o)
  local ys, stats = tide.odeint(f, y0, t, with(o, SAMPLES))
  local most, sum = 0, 0
  for i = 1, #y0 do
    local alone, s = tide.odeint(f, y0:slice(1, i, i), t, o)
    same(("sample %d"):format(i), ys:slice(2, i, i), alone)
    assert(s.nfe == stats.samples.nfe[i] and s.accepted == stats.samples.accepted[i]
      and s.rejected == stats.samples.rejected[i])
    most, sum = math.max(most, s.nfe), sum + s.accepted
  end
  assert(stats.nfe == most and stats.accepted == sum and stats.steps == stats.accepted + stats.rejected)
  return ys, stats
end

tests["samples are the solves of them alone"] = function()
  local y0 = start(7)
  for _, o in ipairs{{}, {rtol = 1e-7, atol = 1e-9}, {method = "dopri8", rtol = 1e-6},
                     {method = "bosh3", controller = "PID"}, {norm = "sample", max_step = 0.3},
                     {method = "sdirk2", steps = 40}, {method = "bdf", steps = 40},
                     {method = "rk4", steps = 60},
                     {final = "interpolate", stops = {0.3}, jumps = {1.1}}} do
    beside(van_der_pol, y0, {0, 0.7, 1.5, 2}, o)
  end
  beside(function(t, y) return y * y * 0.01 - y / 2 + t end, y0, {2, 1.5, 0.1}, {})
  beside(van_der_pol, start(5, "float32"), {0, 0.7, 2}, {rtol = 1e-4})
  local _, stats = beside(van_der_pol, start(16), {0, 6}, {rtol = 1e-6})
  assert(stats.samples.accepted:max():item() > 3 * stats.samples.accepted:min():item(), "all are alike")
  beside(van_der_pol, start(1), {0, 2}, {})
end

tests["a state of several tensors"] = function()
  local y0 = start(6)
  local parts = {x = y0:slice(2, 1, 1), {v = y0:slice(2, 2, 2):reshape{6}, mu = y0:slice(2, 3, 3)}}
  local function f(t, y)
    local d = van_der_pol(t, tide.cat({y.x, y[1].v:reshape{#y.x, 1}, y[1].mu}, 2))
    return {x = d:slice(2, 1, 1), {v = d:slice(2, 2, 2):reshape{#y.x}, mu = d:slice(2, 3, 3)}}
  end
  local ys, stats = tide.odeint(f, parts, {0, 1, 2}, {per_sample = true})
  for i = 1, 6 do
    local alone, s = tide.odeint(f, tide.tree.map(parts, function(p) return p:slice(1, i, i) end), {0, 1, 2})
    assert(s.nfe == stats.samples.nfe[i])
    same("x", ys.x:slice(2, i, i), alone.x)
    same("v", ys[1].v:slice(2, i, i), alone[1].v)
    same("mu", ys[1].mu:slice(2, i, i), alone[1].mu)
  end
end

local function field(w) return function(t, y) return (y:matmul(w)):tanh() * (1 + t) - y * y:abs() end end

tests["gradients are those of separate solves"] = function()
  local p = {w = tide.randn({2, 2}, {seed = 1, dtype = "float64"}),
             y0 = tide.randn({5, 2}, {seed = 2, dtype = "float64"})
               * tide.tensor({{1}, {2}, {4}, {6}, {9}}, f64)}
  for _, o in ipairs{{}, {gradient = "checkpoint", checkpoint_steps = 3}, {gradient = "adjoint", rtol = 1e-6},
                     {gradient = "interpolated"}, {method = "dopri8"}, {method = "sdirk2", steps = 9},
                     {method = "bdf", steps = 9}} do
    local function loss(options)
      return function(q) return tide.odeint(field(q.w), q.y0, {0, 0.4, 1}, options):sin():sum() end
    end
    local g = tide.grad(loss(with(o, SAMPLES)))(p)
    local sum = 0
    for i = 1, 5 do
      local alone = tide.grad(loss(o)){w = p.w, y0 = p.y0:slice(1, i, i)}
      same(("dL/dy0, sample %d"):format(i), g.y0:slice(1, i, i), alone.y0)
      sum = alone.w + sum
    end
    check.near((g.w - sum):abs():max():item(), 0, 1e-12)
  end
end

tests["derivatives by the times, and tolerances of each element"] = function()
  local y0 = tide.randn({4, 2}, {seed = 2, dtype = "float64"}) * 2
  local w, t = tide.randn({2, 2}, {seed = 1, dtype = "float64"}), tide.tensor({0, 0.4, 1}, f64)
  for _, o in ipairs{{rtol = 1e-6}, {gradient = "adjoint", rtol = 1e-6}, {method = "rk4", steps = 9}} do
    local function by_times(options, at)
      return tide.grad(function(times) return tide.odeint(field(w), at, times, options):sin():sum() end)(t)
    end
    local sum = 0
    for i = 1, 4 do sum = by_times(o, y0:slice(1, i, i)) + sum end
    check.near((by_times(with(o, SAMPLES), y0) - sum):abs():max():item(), 0, 1e-11)
  end
  local rtol = tide.tensor({{1e-3}, {1e-5}, {1e-7}, {1e-4}}, f64)
  local ys = tide.odeint(field(w), y0, {0, 1}, {rtol = rtol, per_sample = true})
  for i = 1, 4 do
    same("rtol", ys:slice(2, i, i), (tide.odeint(field(w), y0:slice(1, i, i), {0, 1},
      {rtol = rtol:slice(1, i, i)})))
  end
end

tests["second derivatives"] = function()
  local p = {w = tide.randn({2, 2}, {seed = 1, dtype = "float64"}),
             y0 = tide.randn({4, 2}, {seed = 2, dtype = "float64"})}
  local function curvature(options, alone)
    local function loss(q)
      local sum
      for i = 1, alone and 4 or 1 do
        local y0 = alone and q.y0:slice(1, i, i) or q.y0
        local part = tide.odeint(field(q.w), y0, {0, 0.4, 1}, options):sin():sum()
        sum = sum and sum + part or part
      end
      return sum
    end
    return tide.grad(function(q)
      local g = tide.grad(loss)(q)
      return g.w:square():sum() + g.y0:sin():sum()
    end)(p)
  end
  local g, want = curvature{per_sample = true, rtol = 1e-5}, curvature({rtol = 1e-5}, true)
  check.near((g.w - want.w):abs():max():item(), 0, 1e-11)
  check.near((g.y0 - want.y0):abs():max():item(), 0, 1e-11)
end

tests["products of what has an entry for each sample with weights, of as many rows too"] = function()
  local w, v, b = tide.rand({3, 4}, {seed = 1}), tide.rand({4, 3}, {seed = 2}), tide.rand({3}, {seed = 5})
  for n = 2, 5 do
    local e, y0 = tide.rand({n, 3}, {seed = 3}), tide.rand({n, 3}, {seed = 4})
    local function f(noise)
      return function(_, y)
        return y:matmul(w):cos():matmul(v) + (noise:matmul(v:transpose(1, 2)) * y:matmul(w)):matmul(v)
          + (noise:matmul(w):matmul(v) + b) * 0.1
      end
    end
    local ys = tide.odeint(f(e), y0, {0, 1}, {rtol = 1e-4, per_sample = true})
    for i = 1, n do
      local alone = tide.odeint(f(e:slice(1, i, i)), y0:slice(1, i, i), {0, 1}, {rtol = 1e-4})
      check.same_bits(ys:slice(2, i, i), alone)
    end
  end
end

tests["one sample, and none: second derivatives, tangents, forward"] = function()
  local y0 = tide.randn({1, 2}, {seed = 2, dtype = "float64"})
  for _, n in ipairs{1, 0} do
    for _, kind in ipairs{"direct", "forward"} do
      local function derivatives(per_sample)
        local function loss(y)
          return tide.odeint(function(_, u) return tide.sin(u) end, y, {0, 1},
            {per_sample = per_sample, gradient = kind})[2]:square():sum()
        end
        local y = y0:slice(1, 1, n)
        local _, along = tide.jvp(loss, y, y)
        return {tide.hessian(loss, y), tide.grad(loss)(y), along}
      end
      local want = derivatives(false)
      for i, x in ipairs(derivatives(true)) do check.same_bits(x, want[i], kind) end
    end
  end
end

tests["the same numbers for any number of threads"] = function()
  local before, y0, first = tide.threads(), start(9), nil
  local w = tide.randn({2, 2}, {seed = 1, dtype = "float64"})
  for _, threads in ipairs{1, 2, 4, 3} do
    tide.threads(threads)
    local g = tide.grad(function(p)
      return tide.odeint(field(p.w), p.y0, {0, 1}, SAMPLES):sum()
    end){w = w, y0 = y0:slice(2, 1, 2)}
    local all = tide.cat({tide.odeint(van_der_pol, y0, {0, 2}, SAMPLES):reshape{-1}, g.w:reshape{-1},
      g.y0:reshape{-1}}, 1)
    first = first or all
    same(threads .. " threads", all, first)
  end
  tide.threads(before)
end

tests["compiled functions and blocks"] = function()
  local y0 = start(4)
  local solve = tide.compile(function(y) return tide.odeint(van_der_pol, y, {0, 2}, SAMPLES) end)
  for _ = 1, 2 do
    local ys, stats = solve(y0)
    local again, s = tide.odeint(van_der_pol, y0, {0, 2}, SAMPLES)
    same("compiled", ys, again)
    same("nfe", stats.samples.nfe, s.samples.nfe)
  end
  local model = tide.nn.odeblock(tide.nn.mlp{sizes = {2, 8, 2}, act = "tanh", time = true}, {rtol = 1e-4})
  local x = tide.randn({5, 2}, {seed = 3})
  local y, stats = model(x, {solver = {per_sample = true}})
  assert(stats.samples.accepted:dtype() == "int64" and #stats.samples.accepted == 5)
  for i = 1, 5 do same("block", y:slice(1, i, i), (model(x:slice(1, i, i)))) end
  local counts = tide.ode.counted(model, x, {solver = {per_sample = true}})
  assert(counts.nfe == stats.nfe and counts.accepted == stats.accepted)
end

tests["samples that fail"] = function()
  local y0 = tide.tensor({{0.1}, {5}, {0.2}, {9}}, f64) -- y' = y^2 goes to infinity at 1 / y0
  local function f(_, y) return y * y end
  fails({"sample ", "of 4 (2 failed: 2, 4)", "go to infinity"}, tide.odeint, f, y0, {0, 1}, SAMPLES)
  local ok, failure = tide.attempt(tide.odeint, f, y0, {0, 1}, SAMPLES)
  assert(not ok and failure.sample[1] == 2 and failure.sample[2] == 4 and #failure.sample == 2)
  local o = {per_sample = true, on_failure = "return"}
  local ys, stats = tide.odeint(f, y0, {0, 0.15, 1}, o)
  assert(stats.failure.status == "underflow" and #stats.failure.sample == 2 and stats.failure.sample[2] == 4)
  for i, finite in ipairs{true, false, true, false} do
    same("kept", ys:select(2, i):slice(1, 1, finite and 3 or 1),
      tide.odeint(f, y0:slice(1, i, i), {0, 0.15, 1}, {on_failure = "return"}):select(2, 1):slice(1, 1,
        finite and 3 or 1))
    local last = ys[3][i]:item()
    assert((last == last) == finite)
  end
  check.near(ys[2][2]:item(), 1 / (1 / 5 - 0.15), 0.1) -- what sample 2 reached before
  fails({"no gradient through a solve that failed"}, tide.grad(function(y)
    return tide.odeint(f, y, {0, 1}, o):sum()
  end), y0)
  local _, limited = tide.odeint(f, y0 * 0.1, {0, 1}, with(o, {max_seconds = 1e-9}))
  assert(limited.failure.status == "max_seconds" and #limited.failure.sample == 4)
end

tests["fields whose samples know of each other, and other misuse"] = function()
  local y0 = tide.ones({3, 2})
  local words = "per_sample = true: f must treat the samples of the first axis independently"
  fails(words, tide.odeint, function(_, y) return y - y:mean() end, y0, {0, 1}, SAMPLES)
  fails(words, tide.odeint, function(_, y) return y + y:slice(1, 1, 1) end, y0, {0, 1}, SAMPLES)
  for name in ("inv matrix_exp cholesky solve"):gmatch("%S+") do -- of the state as one matrix
    fails(words, tide.odeint, function(_, y) return tide.linalg[name](y, name == "solve" and y or nil) end,
      tide.eye(3), {0, 1}, SAMPLES)
  end
  fails("whose first axis are the samples", tide.odeint, function(_, y) return y end, tide.ones{}, {0, 1},
    SAMPLES)
  fails({"whose first axis are the samples", "{3, 2} and {2}"}, tide.odeint, function(_, y) return y end,
    {y0, tide.ones{2}}, {0, 1}, SAMPLES)
  for _, kind in ipairs{"eager", "plain"} do
    fails({"per_sample = true is for recorded fields", kind}, tide.odeint, function(_, y) return y end,
      kind == "plain" and {1} or y0, {0, 1}, {per_sample = true, [kind] = true})
  end
  fails("norm as a function", tide.odeint, function(_, y) return y end, y0, {0, 1},
    {per_sample = true, norm = function(e) return e:abs():max() end})
  fails("per_sample must be", tide.odeint, function(_, y) return y end, y0, {0, 1}, {per_sample = 1})
end

tests["no samples, and samples that are empty"] = function()
  local ys, stats = tide.odeint(function(_, y) return -y end, tide.ones{0, 2}, {0, 1}, SAMPLES)
  assert(ys:shape()[2] == 0 and #stats.samples.nfe == 0 and stats.nfe == 0)
  ys, stats = tide.odeint(function(_, y) return -y end, tide.ones{3, 0}, {0, 1}, SAMPLES)
  assert(ys:shape()[3] == 0 and #stats.samples.nfe == 3 and stats.samples.nfe:sum():item() == 0)
end

-- A constant of f has no gradient that could count among the errors of a continuous adjoint, also where it
-- was cut by samples.
tests["continuous adjoints beside constants with an entry a sample: the bits of each alone"] = function()
  local function constant(first, last)
    local rows = {}
    for i = first, last do rows[#rows + 1] = {1 + i / 3, 2 - i / 4, i / 5} end
    return tide.tensor(rows, f64)
  end
  local w, y0 = tide.tensor({0.7, -0.3}, f64), constant(4, 8) * 0.2
  local function gradient(first, last, o)
    return tide.grad(function(q)
      local c = constant(first, last)
      local function f(t, y) return tide.sin(y * c * q.w[1]) + q.w[2] * y * tide.cos(t) + c * c * 0.1 end
      return (tide.odeint(f, q.y, {0, 1, 2}, o)):sin():sum()
    end){w = w, y = y0:slice(1, first, last)}
  end
  for _, kind in ipairs{"adjoint", "interpolated", "direct"} do
    for _, method in ipairs{"dopri5", "radau5"} do
      local o = {method = method, gradient = kind, rtol = 1e-5, atol = 1e-6}
      local one, sum = with(o, {per_sample = true}), tide.zeros({2}, f64)
      local all = gradient(1, 5, one)
      for i = 1, 5 do
        local alone = gradient(i, i, o)
        same(kind .. method, all.y:slice(1, i, i), alone.y)
        sum = sum + alone.w
      end
      assert((all.w - sum):abs():max():item() < 1e-12)
    end
  end
end

tests["tolerances of each element keep to their samples where tangents are solved"] = function()
  local dtype = {dtype = "float64", seed = 5}
  local y0, a = tide.randn({5, 2}, dtype), tide.tensor({{0.3, -1.7}, {1.5, -0.4}}, {dtype = "float64"})
  local each = 10 ^ -(4 * tide.rand({5, 2}, dtype) + 4) -- the samples take 7 to 40 steps
  for _, method in ipairs{"dopri5", "adams", "rodas4"} do
    for _, integral in ipairs{false, true} do
      local function loss(gradient)
        return function(p)
          local ys, _, q = tide.odeint(function(_, y) return (3 * y:matmul(p)):sin() end, y0, {0, 1},
            {method = method, rtol = each, atol = each, per_sample = true, gradient = gradient,
              quadrature = integral and function(_, y) return y:square():sum(2) end or nil})
          return ys:square():sum() + (q and q:sum() or 0)
        end
      end
      local g = tide.grad(loss("direct"))(a)
      check.close(tide.grad(loss("forward"))(a), g, 1e-11, method)
      local _, slope = tide.jvp(loss("direct"), a, tide.ones({2, 2}, dtype))
      check.near(slope:item(), g:sum():item(), 1e-11, method)
    end
  end
end

return tests
