--- Looking at the steps of samples that have steps of their own: on_step, ode.steps, ode.solution. What is
-- seen is what the sample alone shows, to the last bit, one sample after the other.

local check = require "check"
local tide = require "tide"

local tests = {}
local fails, with = check.fails, check.with
local f64 = {dtype = "float64"}
local N = 3

-- Springs with a stiffness of their own and a common damping, as one tensor or as parts.
local function springs(dtype, n)
  local q = {y = tide.tensor({{1, 0}, {2, 0.1}, {-3, 1}}, {dtype = dtype}),
    k = tide.tensor({{1}, {30}, {9}}, {dtype = dtype}), w = tide.tensor({0.1}, {dtype = dtype})}
  return n and {y = q.y:slice(1, n, n), k = q.k:slice(1, n, n), w = q.w} or q
end
local function half(y, i) return y:slice(2, i, i) end
local function field(q, parts)
  if parts then
    return function(t, y) return {x = y.v, v = -q.k * y.x - q.w * y.v + tide.sin(t)} end, {
      x = half(q.y, 1), v = half(q.y, 2)}
  end
  return function(t, y)
    return tide.cat({half(y, 2), -q.k * half(y, 1) - q.w * half(y, 2) + tide.sin(t)}, 2)
  end, q.y
end

local cases = {{{rtol = 1e-5}}, {{}, "float32"}, {{method = "rk4", steps = 9}}, {{method = "radau5"}},
  {{method = "trbdf2"}, "float32"}, {{method = "dop853", stops = {0.7}}}, {{method = "bdf"}},
  {{method = "adams", rtol = 1e-6}}, {{method = "auto"}}, {{rtol = 1e-6}, parts = true},
  {{method = "kvaerno5"}, parts = true}, {{method = "leapfrog_verlet", steps = 12}, separable = true}}

-- A state as a list of numbers, the axis of samples apart.
local function numbers(y)
  local list = {}
  for _, x in ipairs(tide.tree.tensors(y)) do
    for _, v in ipairs(x:reshape{-1}:totable()) do list[#list + 1] = v end
  end
  return list
end

local function same(what, got, want)
  local a, b = numbers(got), numbers(want)
  assert(#a == #b, what)
  for i, v in ipairs(b) do
    if a[i] ~= v and (a[i] == a[i] or v == v) then
      error(("%s: number %d is %.17g, not %.17g"):format(what, i, a[i], v), 2)
    end
  end
end

-- The problem of a case; with sample n, of that alone.
local function problem(case, n)
  local q = springs(case[2] or "float64", n)
  if case.separable then
    return function(_, y) return {q = y.p, p = -q.k * y.q} end, {q = half(q.y, 1), p = half(q.y, 2)}
  end
  return field(q, case.parts)
end

-- For each case and direction fn(case, span).
local function each_case(fn)
  for _, case in ipairs(cases) do
    for _, span in ipairs{{0, 1.2}, {1.2, 0}} do fn(case, span) end
  end
end

-- A recorder of steps, and what it has seen.
local function recorder()
  local seen = {}
  return function(step)
    seen[#seen + 1] = {sample = step.sample, t = step.t, h = step.h, start = step.start,
      error = step.error, y = step.y, inside = step:at((step.start + step.t) / 2)}
  end, seen
end

local function same_step(got, want)
  assert(got.t == want.t and got.h == want.h and got.start == want.start and got.error == want.error)
  same("y", got.y, want.y)
  same("y inside", got.inside, want.inside)
end

-- ---- on_step ----

tests["on_step sees the steps of each sample, one sample after the other"] = function()
  each_case(function(case, span)
    local look, seen = recorder()
    local f, y0 = problem(case)
    local o = with(case[1], {per_sample = true})
    local ys, stats = tide.odeint(f, y0, span, with(o, {on_step = look}))
    same("states", ys, (tide.odeint(f, y0, span, o)))
    assert(stats.t_end == nil)
    local k = 0
    for i = 1, N do
      local look_alone, alone = recorder()
      local g, start = problem(case, i)
      tide.odeint(g, start, span, with(case[1], {on_step = look_alone}))
      assert(#alone == stats.samples.accepted[i] and alone[1].sample == nil)
      for _, want in ipairs(alone) do
        k = k + 1
        assert(seen[k].sample == i)
        same_step(seen[k], want)
      end
    end
    assert(k == #seen)
  end)
  local shapes = {}
  tide.odeint(function(_, y) return {a = -y.a, b = y.b * 0} end,
    {a = tide.ones{2}, b = tide.ones{2, 3, 1}}, {0, 1}, {per_sample = true, on_step = function(step)
      shapes[step.sample] = #step.y.a:shape() .. " " .. table.concat(step:at(step.t).b:shape(), " ")
    end, quadrature = function(_, y) return y.a end, quadrature_control = true})
  assert(#shapes == 2 and shapes[1] == "0 3 1" and shapes[2] == "0 3 1")
end

local times = {0, 0.4, 0.8, 1.2}
local function stop(step) if (step.sample or 2) == 2 and step.t > 0.5 then return "stop" end end

-- Of all states that are there.
local function loss(o)
  return function(q)
    local ys = tide.odeint(field(q), q.y, times, o)
    return tide.where(ys:ne(ys), 0, ys):square():sum()
  end
end

tests["on_step ends a sample by \"stop\": later states are NaN, gradients of what it reached"] = function()
  local q = springs "float64"
  for _, o in ipairs{{rtol = 1e-6}, {method = "rk4", steps = 60}, {method = "radau5"},
                     {gradient = "adjoint"}, {gradient = "interpolated"}, {gradient = "checkpoint"}} do
    local samples = with(o, {per_sample = true, on_step = stop})
    local ys, stats = tide.odeint(field(q), q.y, times, samples)
    local g = tide.grad(loss(samples))(q)
    local again, live = tide.compile(function(p)
      local states, s = tide.odeint(field(p), p.y, times, samples)
      return states, s
    end)(q)
    same("compiled", again, ys)
    for i = 1, N do
      local one, own = springs("float64", i), i == 2 and with(o, {on_step = stop}) or o
      local alone, s = tide.odeint(field(one), one.y, times, own)
      local h = tide.grad(loss(own))(one)
      same("states", ys:slice(2, i, i), alone)
      for _, name in ipairs{"y", "k"} do same("gradient", g[name]:slice(1, i, i), h[name]) end
      assert(stats.t_end[i] == (s.t_end or 1.2) and live.t_end[i] == stats.t_end[i])
      assert((s.t_end ~= nil) == (i == 2))
    end
  end
end

tests["on_step and gradients: of what a stopped sample has not reached; where there is none"] = function()
  local q, o = springs "float64", {per_sample = true, on_step = stop}
  local f = field(q)
  local g = tide.grad(function(y) return tide.odeint(f, y, times, o)[4][3]:sum() * (0 / 0) end)(q.y)
  assert(g[1][1] ~= g[1][1]) -- a loss that is NaN where a sample goes on
  g = tide.grad(function(y) return tide.odeint(f, y, times, o)[4][2]:sum() * (0 / 0) end)(q.y)
  assert(g:abs():max():item() == 0) -- of a constant
  fails('has no gradient "forward"', tide.grad(loss(with(o, {gradient = "forward"}))), q)
  fails("has no derivative by its times", tide.grad(function(t)
    return tide.odeint(f, q.y, t, o)[2]:sum()
  end), tide.tensor(times, f64))
end

tests["on_step of samples with events, failures, threads; errors pass"] = function()
  local before = tide.threads()
  local y0 = tide.tensor({{0.1}, {5}, {0.2}, {0.3}}, f64) -- y' = y^2: sample 2 goes to infinity at 0.2
  local first
  for _, threads in ipairs{1, 3} do
    tide.threads(threads)
    local order = {}
    local _, stats = tide.odeint(function(_, y) return y * y end, y0, {0, 1}, {per_sample = true,
      on_failure = "return", events = {{g = function(_, y) return y - 0.11 end, terminal = true}},
      on_step = function(step) if order[#order] ~= step.sample then order[#order + 1] = step.sample end end})
    assert(table.concat(order, " ") == "1 2 3 4" and stats.failure.sample[1] == 2)
    check.near(stats.t_end[1], 1 / 0.1 - 1 / 0.11, 1e-4)
    first = first or stats
    same("nfe", stats.samples.nfe, first.samples.nfe)
  end
  tide.threads(before)
  local value, seen = {}, 0
  local _, e = pcall(tide.odeint, function(_, y) return -y end, y0, {0, 1}, {per_sample = true,
    on_step = function(step)
      seen = step.sample
      if seen == 3 then error(value) end
    end})
  assert(rawequal(e, value) and seen == 3)
  fails('on_step must return nothing or "stop", got 1', tide.odeint, function(_, y) return -y end, y0, {0, 1},
    {per_sample = true, on_step = function() return 1 end})
  tide.odeint(function(_, y) return -y end, tide.ones{0, 2}, {0, 1},
    {per_sample = true, on_step = function() error "there is none" end})
end

-- ---- ode.steps ----

tests["steps: those of each sample, each when it is asked for, with counts so far"] = function()
  each_case(function(case, span)
    local f, y0 = problem(case)
    local o = with(case[1], {per_sample = true})
    local look, want = recorder()
    local _, stats = tide.odeint(f, y0, span, with(o, {on_step = look}))
    local steps, k = tide.ode.steps(f, y0, span, o), 0
    for step in steps do
      k = k + 1
      same_step({t = step.t, h = step.h, start = step.start, error = step.error, y = step.y,
        inside = step:at((step.start + step.t) / 2)}, want[k])
      assert(step.sample == want[k].sample)
      local counts = steps.stats.samples.accepted
      for i = 1, N do
        assert(i == step.sample or counts[i] == (i < step.sample and stats.samples.accepted[i] or 0))
      end
    end
    assert(k == #want and steps() == nil)
    for name, v in pairs(stats) do if name ~= "samples" then same(name, steps.stats[name], v) end end
    for name, v in pairs(stats.samples) do same(name, steps.stats.samples[name], v) end
  end)
end

-- y' = y^2: sample 2 goes to infinity at 0.2.
local function square(_, y) return y * y end
local of_square = tide.tensor({{0.1}, {5}, {0.2}, {0 / 0}}, f64)
local square_events = {{g = function(_, y) return y - 0.11 end, terminal = true},
  {g = function(t) return t - 0.1 end}}

tests["steps of samples with events and failures that are returned"] = function()
  local f, y0 = square, of_square
  local o = {per_sample = true, on_failure = "return", events = square_events}
  local _, want = tide.odeint(f, y0, {0, 1}, o)
  local steps, order = tide.ode.steps(f, y0, {0, 1}, o), {}
  for step in steps do
    if order[#order] ~= step.sample then order[#order + 1] = step.sample end
    local seen = 0
    for _, e in ipairs(steps.stats.events) do seen = seen + (e.sample <= step.sample and 1 or 99) end
    assert(seen <= 4)
  end
  local stats = steps.stats
  assert(table.concat(order, " ") == "1 2 3" and #stats.events == #want.events)
  for i, e in ipairs(want.events) do
    local got = stats.events[i]
    assert(got.t == e.t and got.sample == e.sample and got.event == e.event)
    same("y", got.y, e.y)
  end
  same("ends", stats.t_end, want.t_end)
  assert(#stats.failure.sample == 2 and stats.failure.sample[1] == 2 and stats.failure.sample[2] == 4)
end

tests["steps of samples: failures, loops that are left early, no samples; misuse"] = function()
  local f, y0, last = square, of_square, nil
  local o = {per_sample = true, events = square_events}
  local steps = tide.ode.steps(f, y0, {0, 1}, o)
  fails({"sample 2 of 4", "1 failed: 2"}, function() for step in steps do last = step end end)
  assert(last.sample == 2 and steps.stats.samples.accepted[1] > 0)
  assert(steps.stats.samples.accepted[2] > 0 and steps.stats.t_end[3] == 0)
  fails("an error has ended it", steps)
  local early = tide.ode.steps(f, y0, {0, 1}, o)
  for step in early do if step.sample == 1 then break end end
  local step = early()
  assert(step.sample == 1 or step.sample == 2)
  early()
  fails("the step is over", step.at, step, step.t)
  for _, shape in ipairs{{0, 2}, {3, 0}} do
    local none = tide.ode.steps(f, tide.ones(shape), {0, 1}, {per_sample = true})
    assert(none() == nil and #none.stats.samples.nfe == shape[1] and none.stats.nfe == 0)
  end
  fails("must treat the samples", tide.ode.steps, function(_, y) return y - y:mean() end, y0, {0, 1},
    {per_sample = true})
  fails("per_sample = true is for recorded fields", tide.ode.steps, f, y0, {0, 1},
    {per_sample = true, eager = true})
end

-- ---- ode.solution ----

tests["solution: y and its slope of all samples at any time, as of each alone"] = function()
  each_case(function(case, span)
    local f, y0 = problem(case)
    local sol = tide.ode.solution(f, y0, span, with(case[1], {per_sample = true}))
    local when = {span[2], 0.3, 0.71, span[1], 1.1}
    local ys, slopes, one = sol(when), sol:derivative(when), sol(0.71)
    assert(#sol.t == N and tostring(sol):find("solution of 3 samples", 1, true))
    for i = 1, N do
      local g, start = problem(case, i)
      local alone = tide.ode.solution(g, start, span, case[1])
      same("times", sol.t[i], alone.t)
      assert(#alone.t == sol.stats.samples.accepted[i] + 1)
      local function of_sample(x, axis)
        return tide.tree.map(x, function(v) return v:slice(axis, i, i) end)
      end
      same("y", of_sample(ys, 2), alone(when))
      same("slopes", of_sample(slopes, 2), alone:derivative(when))
      same("y at one time", of_sample(one, 1), alone(0.71))
    end
    same("at a time of odeint", sol(span[2]), tide.tree.map(tide.odeint(f, y0, span,
      with(case[1], {per_sample = true})), function(x) return x[2] end))
  end)
end

tests["solution of samples that end early, fail, or are none; any number of threads; misuse"] = function()
  local before = tide.threads()
  local y0 = tide.tensor({0.1, 5, 0 / 0, 0.2, 0.3}, f64) -- y' = y^2: sample 2 goes to infinity at 0.2
  local o = {per_sample = true, on_failure = "return", rtol = 1e-7, max_step = 0.1,
    on_step = function(step) if step.sample == 5 and step.t > 0.5 then return "stop" end end,
    events = {{g = function(_, y) return y - 0.11 end, terminal = true}}}
  local function f(_, y) return y * y end
  local end_of_1, first = 1 / 0.1 - 1 / 0.11, nil
  for _, threads in ipairs{1, 3} do
    tide.threads(threads)
    local sol = tide.ode.solution(f, y0, {0, 1}, o)
    local ys = sol{0, end_of_1 - 1e-3, 1}
    assert(#sol.t[3] == 1 and sol.t[3][1] == 0 and sol.t[1][#sol.t[1]] == sol.stats.t_end[1])
    for i, n in ipairs{2, 1, 0, 3, 1} do -- so many of these times are reached
      for k = 1, 3 do
        local want = 1 / (1 / y0[i] - ({0, end_of_1 - 1e-3, 1})[k])
        if k <= n then check.near(ys[k][i], want, 1e-5) else assert(ys[k][i] ~= ys[k][i]) end
      end
    end
    assert(sol.stats.failure.sample[1] == 2 and sol.stats.failure.sample[2] == 3)
    local slope = sol:derivative(0.05)
    assert(slope[3] ~= slope[3])
    check.near(slope[4], 1 / (5 - 0.05) ^ 2, 1e-4)
    fails("t = 1.5 is outside of 0 to 1", sol, 1.5)
    first = first or ys
    same(threads .. " threads", ys, first)
  end
  tide.threads(before)
  for _, shape in ipairs{{0, 2}, {3, 0}} do
    local sol = tide.ode.solution(f, tide.ones(shape), {0, 1}, {per_sample = true})
    assert(#sol.t == shape[1] and sol:derivative(1):numel() == 0)
    assert(table.concat(sol{0, 0.5}:shape(), " ") == "2 " .. table.concat(shape, " "))
  end
  local none = tide.ode.solution(f, tide.tensor{0 / 0}, {0, 1}, {per_sample = true, on_failure = "return"})
  fails("the solve made no step", none.derivative, none, 0)
  fails("must treat the samples", tide.ode.solution, function(_, y) return y - y:mean() end, y0, {0, 1},
    {per_sample = true})
  fails("first axis are the samples", tide.ode.solution, f, tide.ones{}, {0, 1}, {per_sample = true})
  fails("per_sample = true is for recorded fields", tide.ode.solution, f, y0, {0, 1},
    {per_sample = true, eager = true})
end

tests["allocations that fail leave nothing behind"] = function()
  check.survives_lack_of_memory(function()
    local sol = tide.ode.solution(function(_, y) return -y end, tide.tensor({{1, 2}, {2, 1}}, f64), {0, 1},
      {per_sample = true, rtol = 1e-2})
    return sol{0.3, 0.5}:sum():item() + sol:derivative(1):sum():item() + sol.t[2]:sum():item()
  end)
  check.survives_lack_of_memory(function()
    local sum, steps = 0, tide.ode.steps(function(_, y) return -y end, tide.tensor({{1, 2}, {2, 1}}, f64),
      {0, 1}, {per_sample = true, rtol = 1e-2,
        events = {{g = function(_, y) return y:select(2, 1) - 0.9 end}}})
    for step in steps do sum = sum + step.y:sum():item() + #steps.stats.events end
    return sum
  end)
  check.survives_lack_of_memory(function()
    local sum = 0
    local ys = tide.odeint(function(_, y) return -y end, tide.tensor({{1, 2}, {2, 1}}, f64), {0, 1},
      {per_sample = true, rtol = 1e-2, on_step = function(step)
        sum = sum + step.y:sum():item() + step:at(step.t):sum():item()
        if step.sample == 2 then return "stop" end
      end})
    return sum + ys[2][1]:sum():item()
  end)
end

return tests
