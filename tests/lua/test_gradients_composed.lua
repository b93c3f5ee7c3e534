--- Derivatives of derivatives of a solve, and of solves inside other transformations and other solves.

local cases = require "gradient_cases"
local tide = require "tide"

local tests = {}
local f64, same_bits, near, check, field = cases.f64, cases.same_bits, cases.near, cases.check, cases.field
local parameters, loss_of, solve_loss, spans = cases.parameters, cases.loss_of, cases.solve_loss, cases.spans

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

tests["gradients with respect to the times: a grid of so many steps grows with the span"] = function()
  local g = tide.grad(function(t)
    return tide.odeint(function(_, y) return y end, f64{1}, t, {method = "euler", steps = 2}):sum()
  end)(f64{0, 1})
  same_bits(g, f64{-1.5, 1.5}) -- 1 + (1 + T / 2)^2
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
