--- per_sample = true with what belongs to samples: events, a quadrature, tensors with an entry for each, and
-- all of that in derivatives. Each sample is the solve of it alone, to the last bit.

local check = require "check"
local tide = require "tide"

local tests = {}
local fails, with = check.fails, check.with
local f64 = {dtype = "float64"}
local SAMPLES = {per_sample = true}
local N = 4

local function same(what, got, want)
  local a, b = got:reshape{-1}:totable(), want:reshape{-1}:totable()
  assert(#a == #b, what)
  for i, v in ipairs(b) do
    if a[i] ~= v then error(("%s: number %d is %.17g, not %.17g"):format(what, i, a[i], v), 2) end
  end
end

-- Balls that fall with a drag of their own and bounce with a restitution of their own; w is shared.
local function balls()
  return {drag = tide.tensor({{0.1}, {0.2}, {0}, {0.4}}, f64),
    back = tide.tensor({0.9, 0.8, 0.85, 0.75}, f64),
    y = tide.tensor({{1, 0}, {2, 0.1}, {3, 1}, {0.5, -1}}, f64), w = tide.tensor({9.81, 0.05}, f64)}
end
local function one(q, i) -- ball i alone
  return {drag = q.drag:slice(1, i, i), back = q.back:slice(1, i, i), y = q.y:slice(1, i, i), w = q.w}
end
local function column(y, i) return y:slice(2, i, i) end
local times = {0, 0.3, 0.9, 1.7, 2}

-- g of the events gives a number for each sample, or one where there is one.
local function bounce(q, o)
  local n = #q.y
  local function fall(t, y)
    return tide.cat({column(y, 2), -q.w[1] - q.drag * column(y, 2) + 0.1 * tide.sin(t)}, 2)
  end
  local function height(_, y) return n > 1 and column(y, 1) or y[1][1] end
  local function speed(_, y) return n > 1 and y:select(2, 2) - q.w[2] or y[1][2] - q.w[2] end
  local function up(_, y) return tide.cat({column(y, 1) * 0, -q.back:reshape{n, 1} * column(y, 2)}, 2) end
  return tide.odeint(fall, q.y, times, with(o, {events = {
    {g = height, direction = -1, apply = up, name = "floor"}, {g = speed, direction = -1, terminal = 4},
    {g = function(t) return t - 0.5 end}}}))
end

tests["events are those of the samples alone"] = function()
  local q = balls()
  for _, o in ipairs{{rtol = 1e-6}, {method = "rk4", steps = 60}, {method = "trbdf2"},
                     {method = "dopri8", rtol = 1e-4}} do
    local ys, stats = bounce(q, with(o, SAMPLES))
    local before, ended = -1, 0
    for _, e in ipairs(stats.events) do
      assert(e.t >= before and #e.y:shape() == 1)
      before = e.t
    end
    for i = 1, N do
      local alone, s = bounce(one(q, i), o)
      local k = 0
      same("states", ys:slice(2, i, i), alone)
      assert(stats.t_end[i] == s.t_end and stats.samples.nfe[i] == s.nfe)
      for _, e in ipairs(stats.events) do
        if e.sample == i then
          k = k + 1
          local want = s.events[k]
          assert(e.t == want.t and e.event == want.event and e.name == want.name
            and e.direction == want.direction)
          same("state of an event", e.y, want.y)
        end
      end
      assert(k == #s.events and k > 3)
      if s.t_end < 2 then
        same("behind the last event", ys[5][i], ys[4][i])
        ended = ended + 1
      end
    end
    assert(ended > 0)
  end
end

tests["gradients through events, by what each sample has of its own and by what they share"] = function()
  local q = balls()
  local function loss(o) return function(p) return (bounce(p, o)):sin():sum() end end
  for _, o in ipairs{{rtol = 1e-6}, {gradient = "checkpoint", checkpoint_steps = 3},
                     {gradient = "adjoint", rtol = 1e-7}, {gradient = "interpolated", rtol = 1e-7},
                     {gradient = "forward"}, {method = "rk4", steps = 60}, {method = "trbdf2"}} do
    local value, g = tide.value_and_grad(loss(with(o, SAMPLES)))(q)
    local w = 0
    for i = 1, N do
      local alone = tide.grad(loss(o))(one(q, i))
      for _, name in ipairs{"drag", "back", "y"} do same(name, g[name]:slice(1, i, i), alone[name]) end
      w = alone.w + w
    end
    check.near((g.w - w):abs():max():item(), 0, 1e-11)
    if o.method == "rk4" then -- the steps stay where they are: differences
      local h, along = 1e-6, 0
      local function moved(by)
        return loss(with(o, SAMPLES))(tide.tree.map(q, function(x) return x * (1 + by) end)):item()
      end
      for name, x in pairs(q) do along = along + (g[name] * x):sum():item() end
      check.near(along, (moved(h) - moved(-h)) / (2 * h), 1e-6 * math.abs(value:item() + along))
    end
  end
end

tests["the same for any number of threads, and in compiled functions"] = function()
  local q, first = balls(), nil
  local before = tide.threads()
  local o = {per_sample = true, rtol = 1e-6}
  local solve = tide.compile(function(p)
    local ys, stats = bounce(p, o)
    return ys, stats, tide.grad(function(r) return (bounce(r, o)):sum() end)(p)
  end)
  for _, threads in ipairs{1, 3, 2} do
    tide.threads(threads)
    local ys, stats, g = solve(q)
    local again, _, gradient = bounce(q, o), nil, nil
    same("compiled", ys, again)
    gradient = tide.grad(function(r) return (bounce(r, o)):sum() end)(q)
    local all = {ys, stats.t_end, g.drag, g.back, g.y, g.w}
    same("compiled gradient", g.w, gradient.w)
    first = first or all
    for i, x in ipairs(first) do same(threads .. " threads", all[i], x) end
  end
  tide.threads(before)
end

-- The first time at which each ball is on the floor, or at a height; the state is {h =, v =} where `parts`.
local function landing(q, o, parts)
  local n = #q.y
  local function fall(t, y)
    local h, v = y.h or column(y, 1), y.v or column(y, 2)
    local dh, dv = v, -q.w[1] - q.drag * v + 0.1 * tide.sin(t) + 0 * h
    return y.h and {h = dh, v = dv} or tide.cat({dh, dv}, 2)
  end
  local function height(_, y)
    local h = y.h or column(y, 1)
    return (n > 1 and h or h[1][1]) + q.w[2]
  end
  local start = parts and {h = column(q.y, 1), v = column(q.y, 2)} or q.y
  return tide.ode.event(fall, start, q.t0 or 0, height, o)
end

tests["ode.event gives the first zero of each sample, as of it alone"] = function()
  local half = tide.tree.map(balls(), function(x) return x:to("float32") end)
  for _, case in ipairs{{{rtol = 1e-6}}, {{method = "rk4", step_size = 0.05}}, {{method = "trbdf2"}},
                        {{method = "auto"}}, {{}, parts = true}, {{max_time = -9}, parts = true},
                        {{rtol = 1e-4}, half}, {{method = "rk4", steps = 40, max_time = 5}, half}} do
    local o, q = case[1], case[2] or balls()
    local t, y, stats = landing(q, with(o, SAMPLES), case.parts)
    assert(t:dtype() == "float64" and #t == N and #stats.events == N)
    for i = 1, N do
      local alone, end_of, s = landing(one(q, i), o, case.parts)
      assert(t[i] == alone:item() and stats.t_end[i] == t[i] and stats.samples.nfe[i] == s.nfe)
      for name, x in pairs(case.parts and y or {y}) do
        same("state", x:slice(1, i, i), case.parts and end_of[name] or end_of)
      end
    end
  end
end

tests["ode.event of samples in derivatives, by the implicit function theorem"] = function()
  local q = balls()
  q.t0 = tide.tensor(0.2, f64)
  local function loss(o, weights)
    return function(p)
      local t, y = landing(p, o)
      return (t * weights):sum() + (y:select(2, 2):sin() * weights):sum()
    end
  end
  local weights = tide.tensor({1, -2, 0.5, 3}, f64)
  for _, o in ipairs{{}, {gradient = "checkpoint", checkpoint_steps = 2}, {gradient = "adjoint"},
                     {gradient = "interpolated"}, {method = "rk4", step_size = 0.05}, {method = "trbdf2"}} do
    local g = tide.grad(loss(with(o, SAMPLES), weights))(q)
    local shared = {w = 0, t0 = 0}
    for i = 1, N do
      local p = one(q, i)
      p.t0 = q.t0
      local alone = tide.grad(loss(o, weights[i]))(p)
      for _, name in ipairs{"drag", "y"} do same(name, g[name]:slice(1, i, i), alone[name]) end
      for name, sum in pairs(shared) do shared[name] = alone[name] + sum end
    end
    for name, sum in pairs(shared) do check.near((g[name] - sum):abs():max():item(), 0, 1e-11) end
  end
  q.back = nil -- takes no part
  assert(tide.gradcheck(loss({per_sample = true, rtol = 1e-10, atol = 1e-12}, weights), q))
  local step = tide.compile(tide.value_and_grad(loss(SAMPLES, weights)))
  local value, g = tide.value_and_grad(loss(SAMPLES, weights))(q)
  for _ = 1, 2 do
    local again, other = step(q)
    assert(again:item() == value:item())
    same("compiled", other.y, g.y)
  end
end

tests["derivatives through events of fields that take nothing from outside"] = function()
  local y0 = tide.tensor({{1, 2}, {2, 1}, {1.5, 1}, {0.5, 0.3}}, f64)
  local v = tide.tensor({{1, 0.5}, {-1, 0.2}, {0.3, 0.7}, {0.1, 0.4}}, f64)
  local function f(_, y) return -y * y end
  local function level(n) return function(_, y) return n > 1 and column(y, 1) - 0.4 or y[1][1] - 0.4 end end
  local function ends(o)
    return function(y)
      local t, at = tide.ode.event(f, y, 0, level(#y), o)
      return (t * t):sum() + at:sin():sum()
    end
  end
  local function doubled(o)
    return function(y)
      return tide.odeint(f, y, {0, 2}, with(o, {events = {{g = level(#y),
        apply = function(_, x) return 2 * x end}}})):sin():sum()
    end
  end
  for _, loss in ipairs{ends, doubled} do
    for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated", "forward"} do
      local o = {gradient = kind, rtol = 1e-8, atol = 1e-8}
      local g, h = tide.grad(loss(with(o, SAMPLES)))(y0), nil
      local _, hv = tide.hvp(loss(with(o, SAMPLES)), y0, v)
      for i = 1, N do
        local own = y0:slice(1, i, i)
        _, h = tide.hvp(loss(o), own, v:slice(1, i, i))
        same("gradient, " .. kind, g:slice(1, i, i), tide.grad(loss(o))(own))
        check.near((hv:slice(1, i, i) - h):abs():max():item(), 0, 1e-9)
      end
    end
  end
end

tests["ode.event of samples without a zero"] = function()
  local y0 = tide.tensor({{1}, {-1}, {1.5}, {0 / 0}}, f64)
  local function f(_, y) return y end
  local function g(_, y) return y - 2 end
  local o = {per_sample = true, max_time = 1}
  local three = y0:slice(1, 1, 3)
  fails({"sample 2 of 3 (1 failed: 2)", "no zero until max_time = 1"}, tide.ode.event, f, three, 0, g, o)
  local _, failure = pcall(tide.ode.event, f, three, 0, g, o)
  assert(failure.status == "no_event" and failure.sample[1] == 2 and #failure.sample == 1)
  o.on_failure = "return"
  local t, y, stats = tide.ode.event(f, y0, 0, g, o)
  check.near(t[1], math.log(2), 1e-3)
  check.near(y[3]:item(), 2, 1e-9)
  for i = 2, 4, 2 do assert(t[i] ~= t[i] and y[i]:item() ~= y[i]:item()) end
  assert(#stats.failure.sample == 2 and stats.failure.sample[2] == 4 and stats.t_end[2] == 1)
  fails("no gradient through a solve that failed", tide.grad(function(x)
    return (tide.ode.event(f, x, 0, g, o)):sum()
  end), y0)
  local none, empty = tide.ode.event(f, tide.ones({0, 2}), 0, function(_, x) return x:select(2, 1) - 2 end, o)
  assert(#none == 0 and empty:shape()[2] == 2)
  fails("g has no zero", tide.ode.event, f, tide.ones({3, 0}), 0, function(_, x) return x:sum(2) - 2 end,
    {per_sample = true, max_time = 1})
end

tests["tensors with an entry for each sample"] = function()
  local wide = tide.randn({2, N, 3}, {seed = 4, dtype = "float64"})
  local kinds = { -- whole, views, of other shapes, and one that f does not meet y with
    {rate = tide.tensor({{1}, {2}, {3}, {40}}, f64), shift = tide.tensor({1, 2, 3, 4}, f64)},
    {rate = wide[1]:slice(2, 2, 2):exp(), shift = wide[2]:slice(2, 1, 1)},
    {rate = wide:permute{2, 3, 1}:slice(3, 1, 1):slice(2, 1, 1):reshape{N, 1} + 3,
      shift = wide[2]:select(2, 3)},
  }
  local y0 = tide.randn({N, 2}, {seed = 5, dtype = "float64"})
  local function of(q, o)
    local n = #q.y
    local f = function(t, y) return -q.rate:sqrt() * y + q.shift:reshape{n, 1} * t + y:matmul(q.w) / 9 end
    return tide.odeint(f, q.y, {0, 0.5, 1}, o)
  end
  local w = tide.randn({2, 2}, {seed = 6, dtype = "float64"})
  for _, q in ipairs(kinds) do
    local all = {rate = q.rate, shift = q.shift, y = y0, w = w}
    local ys, g = of(all, SAMPLES), tide.grad(function(p) return of(p, SAMPLES):sin():sum() end)(all)
    for i = 1, N do
      local p = {rate = q.rate:slice(1, i, i), shift = q.shift:slice(1, i, i), y = y0:slice(1, i, i), w = w}
      same("states", ys:slice(2, i, i), (of(p, {})))
      local alone = tide.grad(function(r) return of(r, {}):sin():sum() end)(p)
      for _, name in ipairs{"rate", "shift", "y"} do same(name, g[name]:slice(1, i, i), alone[name]) end
    end
  end
  local only = tide.odeint(function(t) return t * kinds[1].rate end, tide.zeros({N, 1}, f64), {0, 1}, SAMPLES)
  for i = 1, N do check.near(only[2][i]:item(), kinds[1].rate[i]:item() / 2, 1e-12) end
  -- the second derivative
  local function curvature(o, q)
    return tide.grad(function(p)
      return tide.grad(function(r) return of(r, o):sin():sum() end)(p).rate:square():sum()
    end)(q)
  end
  local q = {rate = kinds[1].rate, shift = kinds[1].shift, y = y0, w = w}
  local g = curvature(with(SAMPLES, {rtol = 1e-5}), q)
  for i = 1, N do
    local alone = curvature({rtol = 1e-5},
      {rate = q.rate:slice(1, i, i), shift = q.shift:slice(1, i, i), y = y0:slice(1, i, i), w = w})
    check.near((g.rate:slice(1, i, i) - alone.rate):abs():max():item(), 0, 1e-12)
  end
end

tests["a quadrature for each sample"] = function()
  local q = balls()
  local function solve(p, o)
    local n = #p.y
    return tide.odeint(function(t, y) return {a = -p.drag * y.a + y.b, b = y.a:sin() * t - p.w * y.b} end,
      {a = p.y, b = p.y * 0.5}, {0, 0.5, 1.5}, with(o, {quadrature = function(t, y)
        return (y.a * y.b):sum(2) * t + p.back:reshape{n}
      end, events = {{g = function(_, y) return n > 1 and column(y.a, 1) or column(y.a, 1):reshape{} end,
        apply = function(_, y) return {a = y.a * 2, b = y.b} end}}}))
  end
  for _, o in ipairs{{}, {quadrature_control = true, rtol = 1e-5}, {method = "rk4", steps = 20},
                     {atol = 1e-7, rtol = {a = tide.tensor({1e-4, 1e-6}, f64), b = 1e-5}}} do
    local ys, _, integral = solve(q, with(o, SAMPLES))
    assert(table.concat(integral:shape(), " ") == "3 4")
    local function loss(options)
      return function(p)
        local y, _, i = solve(p, options)
        return y.a:sin():sum() + i:square():sum()
      end
    end
    local g = tide.grad(loss(with(o, SAMPLES)))(q)
    for i = 1, N do
      local alone, _, part = solve(one(q, i), o)
      same("a", ys.a:slice(2, i, i), alone.a)
      same("b", ys.b:slice(2, i, i), alone.b)
      same("integral", integral:slice(2, i, i), part)
      local h = tide.grad(loss(o))(one(q, i))
      for _, name in ipairs{"drag", "back", "y"} do same(name, g[name]:slice(1, i, i), h[name]) end
    end
  end
  local _, _, matrix = tide.odeint(function(_, y) return -y end, q.y, {0, 1}, {per_sample = true,
    quadrature = function(_, y) return y:reshape{N, 2, 1} end})
  assert(table.concat(matrix:shape(), " ") == "2 4 2 1")
  check.near(matrix[2][1][1]:item(), 1 - math.exp(-1), 1e-3)
end

tests["samples that fail, and events of the others"] = function()
  local y0 = tide.tensor({{0.1}, {5}, {0.2}, {0 / 0}}, f64) -- y' = y^2 goes to infinity at 1 / y0
  local o = {per_sample = true, on_failure = "return",
    events = {{g = function(_, y) return y - 0.15 end}, {g = function(t) return t - 0.1 end}}}
  local ys, stats = tide.odeint(function(_, y) return y * y end, y0, {0, 1, 4}, o)
  assert(#stats.failure.sample == 2 and stats.failure.sample[1] == 2 and stats.failure.sample[2] == 4)
  local seen = {}
  for _, e in ipairs(stats.events) do seen[#seen + 1] = e.sample .. ":" .. e.event end
  table.sort(seen)
  assert(table.concat(seen, " ") == "1:1 1:2 2:2 3:2", table.concat(seen, " "))
  check.near(ys[3][1]:item(), 1 / 6, 1e-3)
  assert(stats.t_end[1] == 4 and stats.t_end[2] < 0.21 and stats.t_end[4] == 0)
  fails("no gradient through a solve that failed", tide.grad(function(y)
    return (tide.odeint(function(_, x) return x * x end, y, {0, 1}, o)):sum()
  end), y0)
  fails({"sample 2 of 3", "event 1 happens again and again"}, tide.odeint, function(_, y)
    return tide.cat({column(y, 2), y:slice(2, 3, 3), y:slice(2, 3, 3) * 0}, 2)
  end, tide.tensor({{1, 0, 1}, {1, 0, -9.81}, {2, 0, 2}}, f64), {0, 50}, with(SAMPLES, {events = {{
    g = function(_, y) return column(y, 1) end, direction = -1,
    apply = function(_, y)
      return tide.cat({column(y, 1) * 0, -0.5 * column(y, 2), y:slice(2, 3, 3)}, 2)
    end}}}))
end

tests["misuse"] = function()
  local y0 = tide.ones({3, 2}, f64)
  local function f(_, y) return -y end
  local function g(fn) return {per_sample = true, events = {{g = fn, name = "x"}}} end
  fails({"g of event 1 (x) gets the whole batch", "each of its 3 samples", "shape {3, 2}"}, tide.odeint, f,
    y0, {0, 1}, g(function(_, y) return y end))
  fails({"got nil", "does it end with return?"}, tide.odeint, f, y0, {0, 1}, g(function() end))
  fails("must treat the samples", tide.odeint, f, y0, {0, 1}, g(function(_, y) return y:sum() - 3 end))
  fails("must treat the samples", tide.odeint, f, y0, {0, 1}, {per_sample = true, events = {
    {g = function(_, y) return y:select(2, 1) - 0.5 end, apply = function(_, y) return y - y:mean() end}}})
  fails({"quadrature must return one value, or more, for each sample", "{}"}, tide.odeint, f, y0, {0, 1},
    {per_sample = true, quadrature = function(_, y) return y:sum() end})
  local _, stats = tide.odeint(f, tide.ones({0, 2}, f64), {0, 1}, g(function(_, y) return y:select(2, 1) end))
  assert(#stats.events == 0 and #stats.t_end == 0)
end

tests["allocations that fail leave nothing behind"] = function()
  local threads = tide.threads()
  tide.threads(1)
  local rate = tide.tensor({{1}, {2}, {3}}, f64)
  check.survives_lack_of_memory(function()
    local g = tide.grad(function(y0)
      local ys, _, q = tide.odeint(function(_, y) return -rate * y end, y0, {0, 1, 2}, {per_sample = true,
        rtol = 1e-2, quadrature = function(_, y) return y:sum(2) end,
        events = {{g = function(_, y) return column(y, 1) - 0.5 end,
          apply = function(_, y) return y * 2 end}}})
      return ys:sum() + q:sum()
    end)(tide.tensor({{1, 2}, {2, 1}, {1, 1}}, f64))
    return g:sum():item()
  end)
  check.survives_lack_of_memory(function()
    local g = tide.grad(function(y0)
      local t, y = tide.ode.event(function(_, y) return -rate * y end, y0, 0,
        function(_, y) return column(y, 1) - 0.5 end, {per_sample = true, rtol = 1e-2})
      return t:sum() + y:sum()
    end)(tide.tensor({{1, 2}, {2, 1}, {1, 1}}, f64))
    return g:sum():item()
  end)
  tide.threads(threads)
end

return tests
