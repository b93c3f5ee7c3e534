-- What a recording means: every operation counts, captured tensors and random ones included; time is float64
-- until it meets the state.

local check = require "check"
local core = require "tide.core"
local tide = require "tide"

local near, fails = check.near, check.fails
local F64 = {dtype = "float64"}
local tests = {}

local function same(a, b, tolerance)
  assert(table.concat(a:shape(), ",") == table.concat(b:shape(), ",") and a:dtype() == b:dtype())
  if a:numel() > 0 then near((a:to("float64") - b:to("float64")):abs():max():item(), 0, tolerance or 0) end
end

local function randn(shape, seed, dtype)
  return tide.randn(shape, {dtype = dtype or "float64", seed = seed})
end

-- Functions of a captured tensor w {4, 4} and an argument x {4}.
local captured = {
  arithmetic = function(w, x) return (-w * 2 + 1 - w / 3) * x end,
  power = function(w, x) return (w ^ 2 + (w:abs() + 1) ^ 0.5 + w:abs() ^ 1.5) * x end,
  elementwise = function(w, x) return (w:exp() + w:sin() + tide.tanh(w) + w:softplus()) * x end,
  comparison = function(w, x) return tide.where(w:gt(0), x, -x) + tide.where(w:lt(0.5), 1, 2) end,
  matmul = function(w, x) return w:matmul(w):matmul(x) end,
  convolution = function(w, x) return tide.conv1d(w:reshape{1, 4, 4}, w:reshape{4, 4, 1}):sum() * x end,
  reductions = function(w, x) return (w:sum(1) + w:mean(2) + w:max(1) - w:min(2) + w:logsumexp(1)) * x end,
  softmax = function(w, x) return w:softmax(2) * x + w:log_softmax(1) end,
  views = function(w, x)
    return w:transpose() * x + w:slice(2, 4, 1, -1) + w:reshape{2, 8}:reshape{4, 4} + w:permute{2, 1}
  end,
  broadcast = function(w, x) return w:slice(1, 2, 2):broadcast_to{4, 4} * x end,
  rows = function(w, x) return w[2] * x + w:select(2, 3) end,
  gather = function(w, x) return w:take({3, 1, 1, 2}) * x end,
  joined = function(w, x) return tide.cat({w, w:sin()}, 1):sum(1) * x + tide.stack({w[1], w[2]}):sum(1) end,
  positions = function(w, x) return w:argmax(1):to("float64") * x end,
  labels = function(w, x) return tide.cross_entropy(w, w:argmax(2)) * x end,
  copies = function(w, x)
    return (w:clone() + tide.tensor(w) + w:to("float32"):to("float64") + w:stop_gradient()) * x
  end,
  loss = function(w, x) return (tide.mse(w, w:sin()) + tide.smooth_l1(w, w * 3)) * x end,
  gradient = function(w, x) return tide.grad(function(v) return (v * v * x):sum() end)(w) end,
  compiled = function(w, x) return tide.compile(function(v) return v * w:exp() end)(w) * x end,
  directional = function(w, x)
    local _, d = tide.jvp(function(v) return v:sin() end, w, w * 2) return d * x
  end,
  pullback = function(w, x)
    local _, back = tide.vjp(function(v) return v:sin() end, w) return back(w) * x
  end,
  fields = function(w, x)
    return tide.odeint(function(t, y) return -(w:abs()):matmul(y) * t end, x, {0, 0.5})[2]
  end,
  states = function(w, x)
    return tide.odeint(function(_, y) return -y end, w:slice(1, 1, 1), {0, 0.5})[2] * x
  end,
}

tests["captured tensors are read anew, whatever is computed from them"] = function()
  for name, fn in pairs(captured) do
    local w, x = randn({4, 4}, 1), randn({4}, 2)
    local recorded = tide.compile(function(q) return fn(w, q) end)
    local derivative = tide.compile(tide.grad(function(q) return fn(w, q):sum() end))
    local function compare(what)
      local ok, message = pcall(same, recorded(x), fn(w, x), 1e-12)
      assert(ok, ("%s, %s: %s"):format(name, what, message))
      local expected = tide.grad(function(q) return fn(w, q):sum() end)(x)
      ok, message = pcall(same, derivative(x), expected, 1e-12)
      assert(ok, ("gradient of %s, %s: %s"):format(name, what, message))
    end
    compare("as recorded")
    w:copy_(randn({4, 4}, 3))
    compare("changed")
  end
end

tests["captured in a field: states, gradients of every kind, both dtypes"] = function()
  for _, dtype in ipairs{"float32", "float64"} do
    for _, gradient in ipairs{"direct", "adjoint", "checkpoint", "interpolated"} do
      local k = tide.tensor({0.5}, {dtype = dtype})
      local function solve(y)
        return tide.odeint(function(_, u) return -(k * 2):exp() * u end, y, {0, 1},
          {rtol = 1e-5, gradient = gradient})[2]:sum()
      end
      local both = tide.compile(tide.value_and_grad(solve))
      local y0 = tide.tensor({1, 2}, {dtype = dtype})
      for _, value in ipairs{0.5, -1} do
        k:copy_(tide.tensor({value}, {dtype = dtype}))
        local y, g = both(y0)
        near(y:item(), 3 * math.exp(-math.exp(2 * value)), 1e-4)
        near(g[1], math.exp(-math.exp(2 * value)), 1e-4)
      end
    end
  end
end

tests["what depends on captured tensors alone runs once per solve"] = function()
  local w = randn({8, 8}, 1)
  local function solve(field)
    return tide.compile(function(y) return tide.odeint(field, y, {0, 1}, {method = "rk4", steps = 10})[2] end)
  end
  local print_ = print
  print = function() end -- luacheck: ignore
  local report = tide.explain(solve(function(_, y) return w:matmul(w):matmul(w:exp()):matmul(y) end),
    randn({8}, 2))
  print = print_ -- luacheck: ignore
  assert(report.solves[1].evaluation.calls == 1, report.solves[1].evaluation.calls)
end

tests["times of a solve are read anew and checked at each run"] = function()
  local ts = tide.tensor({0, 1}, F64)
  local run = tide.compile(function(y)
    return tide.odeint(function(_, u) return -u end, y, ts * 2, {rtol = 1e-9, atol = 1e-9})[2]
  end)
  local y0 = tide.ones({1}, F64)
  near(run(y0)[1], math.exp(-2), 1e-8)
  ts:copy_(tide.tensor({1, 4}, F64))
  near(run(y0)[1], math.exp(-6), 1e-8)
  ts:copy_(tide.tensor({1, 1}, F64))
  fails({"strictly", "t[2] = 2"}, run, y0)
  ts:copy_(tide.tensor({0, 0 / 0}, F64))
  fails("t[2] must be a finite number, got nan", run, y0)
  -- as tensors outside of a recording
  fails("strictly", tide.odeint, function(_, u) return -u end, y0, tide.tensor({0, 0}, F64))
  fails("t needs two or more times, got 1", tide.odeint, function(_, u) return -u end, y0,
    tide.tensor({0}, F64))
  for _, mode in ipairs{"eager", "plain"} do
    fails("strictly", tide.odeint, function(_, u) return u end, mode == "plain" and {1} or y0,
      tide.tensor({0, 0}, F64), {[mode] = true})
  end
end

-- ---- random tensors ----

tests["random tensors are drawn at each run, in the order of an eager run"] = function()
  local function noisy(x) return x + tide.randn({3}) * 2, tide.rand({2}, F64), tide.randperm(5) end
  local recorded = tide.compile(noisy)
  for _ = 1, 3 do
    tide.seed(11)
    local a, b, c = noisy(tide.zeros{3})
    local d, e, f = noisy(tide.zeros{3})
    tide.seed(11)
    local a2, b2, c2 = recorded(tide.zeros{3})
    local d2, e2, f2 = recorded(tide.zeros{3})
    same(a, a2) same(b, b2) same(c, c2) same(d, d2) same(e, e2) same(f, f2)
    assert((a - d):abs():max():item() > 0)
  end
  local twice = tide.compile(function() return tide.randn{4}, tide.randn{4} end)
  local a, b = twice()
  assert((a - b):abs():max():item() > 0, "two draws became one")
  local seeded = tide.compile(function(x) return x + tide.randn({3}, {seed = 5}) end)
  same(seeded(tide.zeros{3}), tide.randn({3}, {seed = 5}))
  same(seeded(tide.zeros{3}), tide.randn({3}, {seed = 5}))
end

tests["gradients see the numbers that the values saw"] = function()
  local function noisy(x) return (x * tide.randn({3}, F64)):sum() end
  local x = tide.ones({3}, F64)
  for _, both in ipairs{tide.value_and_grad(noisy), tide.compile(tide.value_and_grad(noisy))} do
    for _ = 1, 2 do
      local y, g = both(x)
      near(g:sum():item(), y:item(), 1e-14)
    end
  end
  local y, back = tide.vjp(noisy, x)
  for _ = 1, 2 do near(back(tide.tensor(1, F64)):sum():item(), y:item(), 1e-14) end
  local z, d = tide.jvp(noisy, x, x)
  near(d:item(), z:item(), 1e-14)
  assert(tide.gradcheck(noisy, x))
end

tests["in a field: once per solve, the same in every gradient"] = function()
  local function field(p) return function(_, y) return p * tide.randn({2}, F64) + 0 * y end end
  for _, gradient in ipairs{"direct", "adjoint", "checkpoint", "interpolated"} do
    local function solve(p)
      return tide.odeint(field(p), tide.zeros({2}, F64), {0, 0.5, 1}, {gradient = gradient, rtol = 1e-8})
    end
    local p = tide.ones({2}, F64)
    tide.seed(3)
    local noise = tide.randn({2}, F64)
    tide.seed(3)
    local ys = solve(p)
    same(ys[3], noise, 1e-12)
    same(ys[2], noise * 0.5, 1e-12)
    for _, run in ipairs{tide.value_and_grad(function(q) return solve(q)[3]:sum() end),
                         tide.compile(tide.value_and_grad(function(q) return solve(q)[3]:sum() end))} do
      tide.seed(3)
      local value, g = run(p)
      same(g, noise, 1e-9)
      near(value:item(), noise:sum():item(), 1e-9)
      local again = run(p)
      assert(again:item() ~= value:item(), "not drawn anew")
    end
    assert(tide.gradcheck(
      function(q) return tide.grad(function(r) return solve(r)[3]:square():sum() end)(q) end, p))
  end
  -- a solve inside a field belongs to the outer one
  local function outer(_, y)
    local inner = tide.odeint(function(_, u) return tide.randn({1}, F64) + 0 * u end, tide.zeros({1}, F64),
      {0, 1}, {method = "rk4", steps = 2})
    return inner[2] + 0 * y
  end
  local run = tide.compile(function(y)
    return tide.odeint(outer, y, {0, 1}, {method = "rk4", steps = 4})[2]
  end)
  tide.seed(4)
  local noise = tide.randn({1}, F64)
  tide.seed(4)
  near(run(tide.zeros({1}, F64))[1], noise[1], 1e-12)
end

tests["random numbers do not depend on threads, and models of a seed not on recordings"] = function()
  local run = tide.compile(function(x) return x:matmul(tide.randn({64, 64})):sum(1) end)
  local before, results = core.threads(), {}
  for _, n in ipairs{1, 2, 4} do
    core.threads(n)
    tide.seed(9)
    results[#results + 1] = run(tide.ones{8, 64})
  end
  core.threads(before)
  same(results[1], results[2])
  same(results[1], results[3])
  local made = tide.compile(function(x) return tide.nn.linear(3, 2, {seed = 1})(x) end)
  local x = tide.ones{1, 3}
  same(made(x), tide.nn.linear(3, 2, {seed = 1})(x), 1e-6)
  same(made(x), made(x))
end

tests["a model with noise resumes with the same bits"] = function()
  local function train(iterations, checkpoint)
    tide.seed(21)
    local layer = tide.nn.linear(2, 1, {seed = 1})
    local model = setmetatable({layer = layer}, {__call = function(self, x)
      return self.layer(x + 0.1 * tide.randn{8, 2})
    end})
    local data = {x = tide.randn({32, 2}, {seed = 2}), y = tide.randn({32, 1}, {seed = 3})}
    tide.train{model = model, data = data, optimizer = "adam", loss = "mse", batch = 8,
      iterations = iterations, quiet = true, checkpoint = checkpoint}
    return layer.weight
  end
  check.in_folder(function(folder)
    local file = folder .. "/noisy.npz"
    local whole = train(20)
    train(9, file)
    same(train(20, file), whole)
    assert((train(20) - whole):abs():max():item() == 0)
  end)
end

tests["a draw that nothing reads is made all the same"] = function()
  local function second() tide.randn{2} return tide.randn{2} end
  tide.seed(5)
  local want = second()
  tide.seed(5)
  same(tide.compile(second)(), want)
end

-- ---- dtypes ----

tests["a field reads parameters of any dtype"] = function()
  local function promoted(p)
    return tide.tree.map(p, function(x) return x:dtype() == "float32" and x:to("float64") or x end)
  end
  for _, gradient in ipairs{"direct", "adjoint", "checkpoint", "interpolated"} do
    for _, dtype in ipairs{"float32", "float64"} do
      local other = dtype == "float32" and "float64" or "float32"
      local function loss(p)
        local dtype_here = p.y0:dtype()
        local function field(t, y)
          return ((p.w:exp():sum() * p.k * t):sin() * y * p.n):to(dtype_here) + (p.w * p.w):to(dtype_here)
        end
        return tide.odeint(field, p.y0, {0, 1},
          {method = "rk4", steps = 4, gradient = gradient})[2]:square():sum()
      end
      local function second(p)
        local g = tide.grad(loss)(p)
        return g.w:square():sum():to("float64") + g.k:square():sum()
      end
      local p = {w = tide.randn({3}, {dtype = other, seed = 1}), k = tide.tensor({1.25}, {dtype = other}),
        n = tide.tensor({2}, {dtype = "int64"}),
                 y0 = tide.randn({2, 3}, {dtype = dtype, seed = 2})}
      for _, fn in ipairs{loss, second} do
        local value, g = tide.value_and_grad(fn)(p)
        local again, h = tide.compile(tide.value_and_grad(fn))(p)
        local wide, exact = tide.value_and_grad(fn)(promoted(p))
        same(again, value)
        assert(math.abs(value:item() / wide:item() - 1) < 1e-5)
        for _, key in ipairs{"w", "k", "y0"} do
          same(h[key], g[key])
          assert(g[key]:dtype() == p[key]:dtype())
          local size = exact[key]:abs():max():item()
          same(g[key]:to("float64"), exact[key], 2e-5 * size)
        end
      end
    end
  end
end

-- ---- time ----

tests["time is float64 until it meets the state"] = function()
  local start = 1.6e9
  local seen
  local function field(t, y)
    seen = t:dtype()
    return tide.cos(0.1 * (t - start)) + 0 * y
  end
  local exact = 10 * math.sin(6)
  for _, gradient in ipairs{"direct", "adjoint", "checkpoint", "interpolated"} do
    local function solve(y)
      return tide.odeint(field, y, {start, start + 60}, {gradient = gradient, rtol = 1e-5})[2]
    end
    near(solve(tide.zeros{1})[1], exact, 1e-3)
    assert(seen == "float64")
    near(tide.grad(function(y) return solve(y):sum() end)(tide.zeros{1})[1], 1, 1e-5)
  end
end

tests["time in views, joined to the state, in products, as the whole derivative"] = function()
  local start = 1.6e9
  local function close(f, y0, want, tolerance)
    local ys = tide.odeint(f, y0, {start, start + 1}, {method = "rk4", steps = 16})
    assert(tide.tree.tensors(ys)[1]:dtype() == "float32")
    near(tide.tree.tensors(ys)[1][2]:sum():item(), want, tolerance)
  end
  close(function(t, y) return (t - start):broadcast_to(y:shape()) end, tide.zeros{3, 2}, 3, 1e-5)
  close(function(t, y) return tide.cat({0 * y, (t - start):reshape{1}}):slice(1, 2, 3) + 0 * y end,
    tide.zeros{2}, 0.5, 1e-5)
  close(function(t, s) return {a = 0 * s.a + tide.ones{1} * (t - start), b = (t - start) * 2} end,
    {a = tide.zeros{1}, b = tide.zeros{}}, 0.5, 1e-5)
  close(function(t, y) return tide.where(tide.gt(t, start + 0.5), y * 0 + 1, y * 0) end, tide.zeros{1}, 0.5,
    0.05)
  close(function(t, y) return tide.arange(1, 2, 1, {dtype = "int64"}) * (t - start) + 0 * y end,
    tide.zeros{2}, 1.5, 1e-5)
end

tests["a derivative by time itself, inside of the field"] = function()
  for _, f in ipairs{function(u) return (u * 3):sum() end,
    function(u) return u:reshape{1}:square():sum() * 3 / (2 * u:stop_gradient()) end} do
    for _, dtype in ipairs{"float32", "float64"} do
      local y = tide.odeint(function(t, y) return 0 * y + tide.grad(f)(t) end,
        tide.zeros({1}, {dtype = dtype}), {1, 2}, {method = "rk4", steps = 4})
      near(y[2][1], 3, 1e-5)
    end
  end
end

tests["second derivatives go through time"] = function()
  assert(tide.gradcheck(function(p)
    local function solve(q)
      return tide.odeint(function(t, y) return q * tide.sin(t) * y end, tide.ones({2}, F64), {0, 1},
        {method = "rk4", steps = 8})[2]:sum()
    end
    return tide.grad(solve)(p)
  end, tide.ones({2}, F64)))
end

-- ---- reading, suspending ----

tests["numbers read from a tensor are constants, and what has no value says so"] = function()
  local x = tide.tensor({1, 2}, F64)
  local run = tide.compile(function(y) return y * x[2] * x:select(1, 2) end)
  near(run(tide.ones({1}, F64))[1], 4)
  x:copy_(tide.tensor({3, 5}, F64))
  near(run(tide.ones({1}, F64))[1], 10)
  for _, read in ipairs{function(y) return y:item() end, function(y) return y:totable() end,
    function(y) return (y * 2):item() end,
                        function() return (x * 2):sum():item() end} do
    fails("symbolic", tide.compile(read), tide.ones({1}, F64))
  end
  fails({"select", "axis 1", "got 3"}, tide.select, x, 1, 3)
end

tests["an eager solve is no part of a recording"] = function()
  local function eager(y) return tide.odeint(function(_, u) return -u end, y, {0, 1}, {eager = true})[2] end
  near(eager(tide.ones({1}, F64))[1], math.exp(-1), 1e-3)
  fails({"eager", "recording", "pass the result in"},
    tide.compile(function(y) return y + eager(tide.ones({1}, F64)) end), tide.ones({1}, F64))
  -- plain ones are Lua: their results are constants, and tensors inside are computed at once
  local function plain()
    return tide.odeint(function(_, u) return {(tide.tensor({u[1]}, F64) * -1)[1]} end, {1}, {0, 1},
      {plain = true})[2]
  end
  near(tide.compile(function(y) return y + plain() end)(tide.zeros({1}, F64))[1], math.exp(-1), 1e-3)
end

tests["default dtype"] = function()
  local function finally() tide.set_default_dtype "float32" end
  local ok, message = pcall(function()
    tide.set_default_dtype "float64"
    assert(tide.get_default_dtype() == "float64" and tide.zeros{1}:dtype() == "float64"
      and tide.tensor{1}:dtype() == "float64")
    assert(tide.nn.linear(2, 2, {seed = 1}).weight:dtype() == "float64"
      and tide.stack{1, 2}:dtype() == "float64")
    assert(tide.arange(1, 3, {dtype = "int64"}):mean():dtype() == "float64"
      and (tide.ones({2}, {dtype = "int64"}) / 2):dtype() == "float64")
    for name in ("flip1d sines spheres landscape three_spheres moons"):gmatch("[%w_]+") do
      assert(tide.data[name]{n = name ~= "spheres" and 4 or nil}.x:dtype() == "float64", name)
    end
    assert(tide.zeros({1}, {dtype = "float32"}):dtype() == "float32" and tide.randn{1}:dtype() == "float64")
  end)
  finally()
  assert(ok, message)
  assert(tide.zeros{1}:dtype() == "float32" and tide.stack{1, 2}:dtype() == "float32")
  fails({"set_default_dtype", "int64"}, tide.set_default_dtype, "int64")
  assert(tide.stack({1, 2}, {dtype = "float64"}):dtype() == "float64"
    and tide.stack({tide.ones{}, 2}, 1, F64):dtype() == "float64")
end

tests["Lua's own functions and the reading of numbers say what to write, in every recording"] = function()
  local x = tide.tensor{1, 2}
  local function sine(v) return math.sin(v[1]) end
  for _, run in ipairs{tide.grad(sine), tide.compile(sine), function(v) tide.vjp(sine, v) end,
    function(v) tide.jvp(sine, v, v) end} do
    fails({"bad argument #1 to 'sin'", "write tide.sin(x) in place of math.sin"}, run, x)
  end
  local function field(t, y) return math.exp(t) * y end
  for _, run in ipairs{function(y) tide.odeint(field, y, {0, 1}) end,
    tide.grad(function(y) return tide.odeint(field, y, {0, 1})[2]:sum() end)} do
    fails({"write tide.exp(x) in place of math.exp", "eager = true"}, run, x)
  end
  fails({"has no value while it is being recorded", "compute with the tensor itself"},
    tide.compile(function(v) return v:sum():item() end), x)
  fails({"copy_", "copy them outside"}, tide.compile(function(v) x:copy_(v) return v end), x)
  local left
  tide.compile(function(v) left = v return v * 2 end)(x)
  for _, read in ipairs{left.item, left.totable, function(v) return v + 1 end} do fails(
    "a recording that has ended", read, left) end
  fails({"tide.where: expected a tensor, got false", "x:eq(y)"}, function()
    return tide.where(x == x:clone(), 1, 2)
  end)
  fails({"f returned shape {}", "f is called as f(t, y)"}, tide.odeint, function(y) return -y end, x, {0, 1})
end

return tests
