--- Looking at the steps of a solve: on_step, a solution as a function of time.

local check = require "check"
local core = require "tide.core"
local tide = require "tide"

local tests = {}
local fails, near = check.fails, check.near
local odeint = tide.odeint

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end
local function turn(_, y) return tide.stack{y[2], -y[1]} end
local function turn_plain(_, y) return {y[2], -y[1]} end
local function turned(t) return f64{math.cos(t), -math.sin(t)} end
local y0 = f64{1, 0}
local function off(a, b) return a:sub(b):abs():max():item() end
local with = check.with

-- fn(method, its options) for every method that goes with tensors of any shape.
local function each_method(fn)
  for _, m in ipairs(check.methods()) do
    local ok = pcall(odeint, turn, y0, {0, 1}, {method = m.name, steps = 8})
    if ok then fn(m, {method = m.name, steps = 40}) end
    if m.kind == "adaptive" and m.order > 2 then fn(m, {method = m.name, rtol = 1e-7, atol = 1e-9}) end
  end
end

-- ---- on_step ----

tests["on_step sees each accepted step, in every kind of field, forwards and backwards"] = function()
  local kinds = {{}, {eager = true}, {plain = true}, {method = "rk4", steps = 9},
    {method = "sdirk2", steps = 9}, {method = "bdf", steps = 9}, {method = "dopri8", rtol = 1e-9},
    {stops = {0.7, 1.1}}}
  for _, kind in ipairs(kinds) do
    for _, span in ipairs{{0, 3}, {3, 0}} do
      local seen, last, o = 0, span[1], nil
      o = with(kind, {on_step = function(step)
        seen = seen + 1
        assert(step.start == last and (step.t - step.start) * step.h > 0)
        near(step.start + step.h, step.t, 1e-14)
        assert((step.error == nil) == (kind.steps ~= nil) and (not step.error or step.error <= 1))
        last = step.t
        local a, b, middle = step:at(step.start), step:at(step.t), step:at((step.start + step.t) / 2)
        for i = 1, 2 do
          assert(b[i] == step.y[i])
          assert(math.abs(middle[i] - (a[i] + b[i]) / 2) <= 0.13 * step.h ^ 2 * 1.3 + 1e-3)
        end
        assert(step.nothing == nil)
      end})
      local ys, s = odeint(kind.plain and turn_plain or turn, kind.plain and {1, 0} or y0, span, o)
      assert(seen == s.accepted and last == span[2] and s.t_end == nil)
      local plain_ys = odeint(kind.plain and turn_plain or turn, kind.plain and {1, 0} or y0, span, kind)
      assert(off(ys, plain_ys) == 0, "to look at steps must not change them")
    end
  end
  local tables = {}
  odeint(function(_, y) return {a = -y.a, b = {y.a}} end, {a = f64{1}, b = {f64{0}}}, {0, 1},
    {on_step = function(step) tables[#tables + 1] = step end})
  near(tables[#tables].y.a:item() + tables[#tables].y.b[1]:item(), 1, 1e-12)
  fails("the step is over", function() tables[1]:at(tables[1].t) end)
  assert(tables[1].y.a:item() > tables[2].y.a:item())
end

tests["on_step in compiled functions, in gradients, in coroutines"] = function()
  local times = {}
  local o = {rtol = 1e-6, on_step = function(step) times[#times + 1] = step.t end}
  local solve = tide.compile(function(y)
    local ys, stats = odeint(turn, y, {0, 1, 3}, o)
    return ys, stats
  end)
  local _, s = solve(y0)
  assert(#times == s.accepted and times[#times] == 3)
  collectgarbage()
  solve(y0)
  assert(#times == 2 * s.accepted)
  coroutine.wrap(function() solve(y0) end)()
  assert(#times == 3 * s.accepted)
  local function loss(options) return function(y) return odeint(turn, y, {0, 1, 3}, options)[2]:sum() end end
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    local g = tide.grad(loss(with(o, {gradient = kind})))(y0)
    assert(off(g, tide.grad(loss{rtol = 1e-6, gradient = kind})(y0)) == 0, kind)
  end
end

tests["on_step returns \"stop\": later states are NaN, gradients are those of what was reached"] = function()
  local function stop(step) if step.t > 1 then return "stop" end end
  local function loss(options, at)
    return function(y) return odeint(turn, y, {0, 0.5, 1, 3, 4}, options)[at]:sum() end
  end
  local tight = {rtol = 1e-8, atol = 1e-8}
  for _, o in ipairs{tight, {method = "rk4", steps = 60}, with(tight, {eager = true})} do
    local ys, s = odeint(turn, y0, {0, 0.5, 1, 3, 4}, with(o, {on_step = stop}))
    local all = odeint(turn, y0, {0, 0.5, 1, 3, 4}, o)
    assert(s.t_end > 1 and s.t_end < 3 and off(ys:slice(1, 1, 3), all:slice(1, 1, 3)) == 0)
    for i = 4, 5 do assert(ys[i][1] ~= ys[i][1] and ys[i][2] ~= ys[i][2]) end
    for _, kind in ipairs(o.eager and {} or {"direct", "checkpoint", "adjoint", "interpolated"}) do
      local stopped = tide.grad(loss(with(o, {on_step = stop, gradient = kind}), 3))(y0)
      assert(off(stopped, tide.grad(loss(with(o, {gradient = kind}), 3))(y0)) < 1e-6, kind)
    end
  end
  local _, s = odeint(turn, y0, {0, 3}, {on_step = function() return "stop" end, method = "rk4", steps = 6})
  assert(s.accepted == 1 and s.t_end == 0.5)
  local ys, whole = odeint(turn, y0, {0, 3}, {on_step = function(step)
    if step.t == 3 then return "stop" end
  end})
  assert(whole.t_end == nil and ys[2][1] == ys[2][1])
end

tests["on_step: errors pass as they are, misuse is named, and all works afterwards"] = function()
  local value = {"mine"}
  local armed = true
  local o = {on_step = function() if armed then error(value) end end}
  local compiled = tide.compile(function(y) return (odeint(turn, y, {0, 3}, o)) end)
  local gradient = tide.grad(function(y) return (odeint(turn, y, {0, 3}, o)):sum() end)
  local plain = with(o, {plain = true})
  for _, job in ipairs{function() return (odeint(turn, y0, {0, 3}, o)) end,
    function() return compiled(y0) end, function() return gradient(y0) end,
    function() return (odeint(turn_plain, {1, 0}, {0, 3}, plain)) end} do
    for i = 1, 3 do
      armed = i ~= 2
      local good, e = pcall(job)
      assert(good == not armed and (good or rawequal(e, value)), tostring(e))
    end
  end
  local function given(on_step) return odeint, turn, y0, {0, 3}, {on_step = on_step} end
  fails("on_step must be a function", given{})
  fails('on_step must return nothing or "stop", got true', given(function() return true end))
  fails('on_step must return nothing or "stop", got "halt"', given(function() return "halt" end))
  fails("step:at: t = 7 is outside of 0 to", given(function(step) step:at(7) end))
  fails("step:at: t must be a finite number", given(function(step) step:at(0 / 0) end))
  fails("step:at: t must be a finite number", given(function(step) step:at() end))
  fails("yield", coroutine.wrap(function() odeint(turn, y0, {0, 3}, {on_step = coroutine.yield}) end))
  -- an f that fails while on_step looks into the step
  local calls = 0
  fails("too often", odeint, function(_, y)
    calls = calls + 1
    if calls > 6 then error("too often") end
    return -y
  end, y0, {0, 3}, {eager = true, method = "dopri8", on_step = function(step) step:at(step.t / 2) end})
end

tests["a plain solution is one in float64, whatever y0 was"] = function()
  local function decay(_, y) return {-y[1], -2 * y[2]} end
  local want = tide.ode.solution(decay, {3, 4}, {0, 1}, {plain = true})
  for _, dtype in ipairs{"float32", "float64", "int64", "uint8"} do
    local sol = tide.ode.solution(decay, tide.tensor({3, 4}, {dtype = dtype}), {0, 1}, {plain = true})
    assert(off(sol(tide.tensor{0, 0.5, 1}), want(tide.tensor{0, 0.5, 1})) == 0, dtype)
    assert(sol(0.3)[2] == want(0.3)[2] and sol:derivative(0.3)[2] == want:derivative(0.3)[2], dtype)
  end
end

-- ---- steps ----

tests["steps: those of odeint, each when it is asked for"] = function()
  for _, kind in ipairs{{}, {eager = true}, {plain = true}, {method = "rk4", steps = 9}, {rtol = 1e-9},
    {method = "sdirk2", steps = 9}, {method = "bdf", steps = 9}, {stops = {0.7, 1.1}}} do
    for _, span in ipairs{{0, 3}, {3, 0}} do
      local f, start = kind.plain and turn_plain or turn, kind.plain and {1, 0} or y0
      local want = {}
      local _, s = odeint(f, start, span, with(kind, {on_step = function(step)
        want[#want + 1] = {step.t, step.y[1], step.error, step.h, step:at((step.start + step.t) / 2)[2]}
      end}))
      local it, n = tide.ode.steps(f, start, span, kind), 0
      assert(it.stats.nfe == 0 and it.stats.accepted == 0)
      for step in it do
        n = n + 1
        local w = want[n]
        assert(w[1] == step.t and w[2] == step.y[1] and w[3] == step.error and w[4] == step.h)
        assert(w[5] == step:at((step.start + step.t) / 2)[2] and it.stats.accepted == n)
      end
      assert(n == #want and it() == nil and it.stats.nfe == s.nfe and it.stats.rejected == s.rejected)
    end
  end
end

tests["steps: left early, in turns, from coroutines, with what they live in collected"] = function()
  local its = {}
  for i = 1, 3 do its[i] = tide.ode.steps(turn, f64{i, 0}, {0, 3}, {eager = i == 2, stops = {1}}) end
  local last = {0, 0, 0}
  for round = 1, 4 do
    for i = 1, 3 do
      local function go()
        local step = its[i]()
        near(step.y[1] / i, math.cos(step.t), 1e-2)
        assert(step.start == last[i])
        last[i] = step.t
      end
      if round % 2 == 0 then coroutine.wrap(go)() else go() end
      collectgarbage()
    end
  end
  local start = f64{1, 0}
  local it = tide.ode.steps(turn, start, {0, 3})
  start:copy_(f64{5, 5})
  local step = it()
  assert(off(step.y, turned(step.t)) < 1e-3, "y0 is that of the call")
  it()
  fails("the step is over", step.at, step, step.t)
  local count = 0
  for _ in tide.ode.steps(turn, y0, {0, 100}) do
    count = count + 1
    if count == 5 then break end
  end
  assert(count == 5)
end

tests["steps: events, failures, on_step, C fields"] = function()
  local function falls(_, y) return tide.stack{y[2], 0 * y[2] - 10} end
  for _, kind in ipairs{{}, {eager = true}} do
    local it = tide.ode.steps(falls, f64{1, 0}, {0, 2}, with(kind, {
      events = {{g = function(_, y) return y[1] end, terminal = true, name = "floor"}}}))
    local last
    for step in it do last = step end
    near(last.t, math.sqrt(0.2), 1e-6)
    near(last.y[1], 0, 1e-8)
    assert(it.stats.events[1].name == "floor" and it.stats.events[1].t == last.t and it.stats.t_end == last.t)
  end
  local it, n = tide.ode.steps(function(_, y) return y * y end, f64{1}, {0, 2}, {on_failure = "return"}), 0
  for _ in it do n = n + 1 end
  assert(n == it.stats.accepted and it.stats.failure.status == "underflow" and it() == nil)
  local raising = tide.ode.steps(function(_, y) return y * y end, f64{1}, {0, 2}, {max_steps = 4})
  local good, e = pcall(function() for _ in raising do n = n + 1 end end)
  assert(not good and e.status == "max_steps" and e.steps == 4)
  fails("no next step", raising)
  local seen = 0
  local stopping = tide.ode.steps(turn, y0, {0, 9}, {on_step = function(step)
    seen = seen + 1
    if step.t > 1 then return "stop" end
  end})
  for _ in stopping do n = n + 1 end
  assert(seen == stopping.stats.accepted and stopping() == nil)
  if core.exists("build/cfield/pendulum.so") then
    local field = tide.ode.cfield("build/cfield/pendulum.so", "pendulum"){9.81, 0.1}
    local last
    for step in tide.ode.steps(field, f64{0.5, 0}, {0, 1}, {rtol = 1e-8}) do
      last = step.y
      collectgarbage()
    end
    assert(off(last, odeint(field, f64{0.5, 0}, {0, 1}, {rtol = 1e-8})[2]) == 0)
  end
end

tests["steps: errors pass as they are, misuse is named"] = function()
  local value = {"mine"}
  for _, options in ipairs{{eager = true}, {plain = true}} do
    local calls = 0
    local it = tide.ode.steps(function(_, y)
      calls = calls + 1
      if calls > 10 then error(value) end
      return options.plain and {-y[1]} or -y
    end, options.plain and {1} or f64{1}, {0, 9}, options)
    local good, e = pcall(function() for _ in it do calls = calls + 0 end end)
    assert(not good and rawequal(e, value))
    fails("no next step", it)
  end
  local it
  it = tide.ode.steps(function(_, y) return it() and -y end, y0, {0, 3}, {eager = true})
  fails("still being made", it)
  fails("the span must be two times", tide.ode.steps, turn, y0, {0, 1, 2})
  fails("the span must be two times", tide.ode.steps, turn, y0)
  fails("increasing", tide.ode.steps, turn, y0, {1, 1})
  fails("f must be a function", tide.ode.steps, 1, y0, {0, 1})
  fails("unknown option", tide.ode.steps, turn, y0, {0, 1}, {rtoll = 1})
  fails("unknown option", tide.ode.steps, turn, y0, {0, 1}, {stepping = true})
  fails("steps hold numbers", tide.grad(function(y) return tide.ode.steps(turn, y, {0, 1})().y:sum() end), y0)
  local empty = tide.ode.steps(function(_, y) return y end, core.full({0}, 1, "float64"), {0, 1})
  assert(empty() == nil)
end

-- ---- solutions ----

tests["solution: the solver's interpolant, for every method, both ways"] = function()
  each_method(function(m, o)
    for _, span in ipairs{{0, 2}, {2, 0}} do
      local sol = tide.ode.solution(turn, y0, span, o)
      local direction = span[2] > span[1] and 1 or -1
      local times = sol.t:totable()
      assert(times[1] == span[1] and times[#times] == span[2] and #times == sol.stats.accepted + 1, m.name)
      for i = 2, #times do assert((times[i] - times[i - 1]) * direction > 0) end
      local ask = {span[1]}
      for i = 1, 5 do ask[#ask + 1] = span[1] + direction * (0.31 * i + 0.05) end
      ask[#ask + 1] = span[2]
      local want = odeint(turn, y0, ask, o)
      local got = sol(f64(ask))
      assert(off(got, want) < 2e-13, ("%s: %g"):format(m.name, off(got, want)))
      assert(off(got[1], y0) == 0 and off(got[#ask], want[#ask]) == 0, m.name)
      -- ends of steps, to the bit: what on_step sees
      local i = 1
      odeint(turn, y0, span, with(o, {on_step = function(step)
        i = i + 1
        assert(off(sol(step.t), step.y) == 0, m.name)
        local middle = (step.t + step.start) / 2
        assert(off(sol(middle), step:at(middle)) < 2e-13, m.name)
      end}))
      assert(i == #times)
      -- the slope is that of the interpolant; where steps meet it may jump (a quadratic one)
      for j = 2, 5 do
        local e, met = 1e-5, false
        for _, t in ipairs(times) do met = met or math.abs(t - ask[j]) < 2 * e end
        local slope = (sol(ask[j] + e) - sol(ask[j] - e)) / (2 * e)
        assert(met or off(sol:derivative(ask[j]), slope) < 1e-7, m.name)
      end
    end
  end)
end

tests["solution: accuracy of values and slopes; float32, tables, plain, eager, C fields"] = function()
  local sol = tide.ode.solution(turn, y0, {0, 6}, {rtol = 1e-10, atol = 1e-10})
  for t = 0, 6, 0.37 do
    assert(off(sol(t), turned(t)) < 3e-8 and off(sol:derivative(t), turn(t, turned(t))) < 1e-6)
  end
  assert(off(sol{5, 1, 3}, sol(f64{5, 1, 3})) == 0 and off(sol(f64(2)), sol(2)) == 0)
  local small = tide.ode.solution(turn, y0:to("float32"), {0, 6}, {rtol = 1e-5, atol = 1e-6})
  assert(small(3):dtype() == "float32" and off(small(3):to("float64"), turned(3)) < 1e-3)
  assert(off(small:derivative(3):to("float64"), turn(3, turned(3))) < 1e-2)
  local parts = tide.ode.solution(function(_, y) return {a = y.b, b = -y.a} end, {a = f64{1}, b = f64{0}},
    {0, 2})
  assert(parts(1).a:shape()[1] == 1 and parts{1, 2}.b:shape()[1] == 2)
  local plain = tide.ode.solution(turn_plain, {1, 0}, {0, 2}, {plain = true, rtol = 1e-8, atol = 1e-8})
  near(plain(1)[1], math.cos(1), 1e-6)
  near(plain{1, 2}[2][2], -math.sin(2), 1e-6)
  near(plain:derivative(1)[1], -math.sin(1), 1e-5)
  local eager = tide.ode.solution(turn, y0, {0, 2}, {eager = true})
  assert(off(eager(1), tide.ode.solution(turn, y0, {0, 2})(1)) == 0)
  if core.exists("build/cfield/pendulum.so") then
    local field = tide.ode.cfield("build/cfield/pendulum.so", "pendulum"){9.81, 0.1}
    local swing = tide.ode.solution(field, f64{0.5, 0}, {0, 1}, {rtol = 1e-8})
    assert(off(swing(0.5), odeint(field, f64{0.5, 0}, {0, 0.5, 1}, {rtol = 1e-8})[2]) < 1e-13)
  end
  local empty = tide.ode.solution(function(_, y) return y end, core.full({0}, 1, "float64"), {0, 1})
  assert(empty(0.5):numel() == 0 and empty{0, 1}:shape()[1] == 2)
end

tests["solution: stops, events, failures, on_step"] = function()
  local function falls(_, y) return tide.stack{y[2], 0 * y[2] - 10} end
  local fall = tide.ode.solution(falls, f64{1, 0}, {0, 0.8}, {
    events = {{g = function(_, y) return y[1] end, direction = -1,
      apply = function(_, y) return tide.stack{0 * y[1], -0.5 * y[2]} end}}})
  local hit = fall.stats.events[1].t
  near(fall(hit)[2], math.sqrt(20) / 2, 1e-5)
  near(fall(hit - 1e-6)[2], -math.sqrt(20), 1e-3)
  near(fall(hit + 0.1)[1], math.sqrt(20) / 2 * 0.1 - 0.05, 1e-5)
  local failed = tide.ode.solution(function(_, y) return y * y end, f64{1}, {0, 2}, {on_failure = "return"})
  assert(failed.stats.failure.status == "underflow")
  near(failed(0.5):item(), 2, 1e-2)
  fails("t = 1.5 is outside of 0 to 0.9999", failed, 1.5)
  local nothing = tide.ode.solution(turn, y0 * (0 / 0), {0, 2}, {on_failure = "return"})
  assert(#nothing.t == 1 and nothing(0)[1] ~= nothing(0)[1])
  fails("outside", nothing, 1)
  fails("no slope", nothing.derivative, nothing, 0)
  local stopped = tide.ode.solution(turn, y0, {0, 9}, {on_step = function(step)
    if step.t > 1 then return "stop" end
  end})
  assert(stopped.t[#stopped.t] == stopped.stats.t_end and off(stopped(1), turned(1)) < 1e-2)
  fails("outside", stopped, 8)
end

tests["solution: misuse"] = function()
  local sol = tide.ode.solution(turn, y0, {0, 2})
  for _, t in ipairs{-1e-9, 2 + 1e-9, 1 / 0, -1 / 0, 0 / 0} do fails("t ", sol, t) end
  assert(off(sol(2 + 4e-16), sol(2)) == 0)
  fails("t must be a number or a 1-D tensor", sol, "1")
  fails("t must be a number or a 1-D tensor", sol)
  fails("t must be a number or 1-D", sol, tide.ones{2, 2})
  fails("t must be a finite number", sol, {1, "x"})
  fails("must be a list", sol, {1, x = 2})
  fails("is outside", sol, f64{1, 3})
  fails("sol:derivative(t)", sol.derivative, 1, 2)
  for _, span in ipairs{{0}, {0, 1, 2}, {}, 3, "x"} do
    fails("the span must be two times", tide.ode.solution, turn, y0, span)
  end
  fails("got nil", tide.ode.solution, turn, y0, nil)
  fails("increasing", tide.ode.solution, turn, y0, {1, 1})
  fails("unknown option", tide.ode.solution, turn, y0, {0, 1}, {rtoll = 1})
  fails("a solution holds numbers", tide.grad(function(y)
    return tide.ode.solution(turn, y, {0, 1})(1):sum()
  end), y0)
  fails("a solution holds numbers", tide.grad(function(y) return sol(1):sum() + y:sum() end), y0)
  assert(tostring(sol):find("solution from t = 0 to 2, %d+ steps"))
end

tests["on_step and solutions: memory that fails"] = function()
  local function seen(step) step:at(step.start + step.h / 3) end
  local gradient = tide.compile(tide.grad(function(y)
    return (odeint(turn, y, {0, 2}, {on_step = seen})):sum()
  end))
  local jobs = {function() return (odeint(turn, y0, {0, 2}, {on_step = seen})) end,
    function() return gradient(y0) end,
    function() return (odeint(turn, y0, {0, 2}, {on_step = seen, eager = true})) end,
    function()
      local last
      for step in tide.ode.steps(turn, y0, {0, 2}, {on_step = seen}) do last = step.y end
      return last
    end,
    function() return tide.ode.solution(turn, y0, {0, 2}, {method = "dopri8"}){1, 0.5} end}
  for _, job in ipairs(jobs) do
    local want = job()
    for k = 1, 150 do
      core.memory_fail_after(k, k % 2 == 0)
      local good, got = pcall(job)
      core.memory_fail_after(-1, false)
      assert(good and off(got, want) == 0 or tostring(got):find "memory", tostring(got))
    end
    assert(off(job(), want) == 0)
  end
end

-- rtol = 0 counts as ten roundings in both, which shows where y is large beside atol.
tests["the first step of a solve is that of initial_step"] = function()
  for _, dtype in ipairs{"float64", "float32"} do
    for _, size in ipairs{1, 1e7, 1e14} do
      for _, rtol in ipairs{0, 1e-4} do
        local y, first = tide.full({2}, size, {dtype = dtype}), nil
        local function f(_, u) return u * -1e-3 end
        local function note(step) first = first or step.h end
        odeint(f, y, {0, 1e9}, {rtol = rtol, atol = 1e-3, max_steps = 1, on_failure = "return",
          on_step = note})
        near(first, tide.ode.initial_step(f, 0, y, 4, rtol, 1e-3), 1e-12 * first)
      end
    end
  end
end

return tests
