--- Events of solves: zeros of functions along the solution, found, in order, with what they change.

local tide = require "tide"
local check = require "check"

local tests = {}
local fails, near = check.fails, check.near
local f64 = {dtype = "float64"}

local function clock(span, events, opts)
  opts = opts or {}
  opts.events, opts.plain = events, true
  local ys, stats = tide.odeint(function() return {1} end, {span[1]}, span, opts)
  return stats.events, ys, stats
end

local function times_are(events, times, tolerance)
  assert(#events == #times, ("%d events for %d"):format(#events, #times))
  for i, t in ipairs(times) do near(events[i].t, t, tolerance or 1e-12) end
end

tests["the cubic with three roots in one step is found by default"] = function()
  local function cubic(_, y) return (y[1] - 1) * (y[1] - 2) * (y[1] - 3) end
  for _, first in ipairs{0.1, 4} do
    local events = clock({0, 4}, {{g = cubic}}, {first_step = first})
    times_are(events, {1, 2, 3})
    for i, e in ipairs(events) do
      assert(e.event == 1 and e.direction == (i == 2 and -1 or 1) and e.name == nil)
      near(e.y[1], i)
    end
  end
  times_are(clock({0, 4}, {{g = cubic, direction = 1}}), {1, 3})
  times_are(clock({0, 4}, {{g = cubic, direction = -1}}), {2})
  -- backwards a direction counts along the way
  times_are(clock({4, 0}, {{g = cubic, direction = 1}}), {2})
  times_are(clock({4, 0}, {{g = cubic, direction = -1}}), {3, 1})
end

tests["recorded, eager and plain fields, float32 and float64, states that are tables"] = function()
  for _, dtype in ipairs{"float32", "float64"} do
    for _, eager in ipairs{false, true} do
      local ys, stats = tide.odeint(function(_, y) return {q = y.p, p = -y.q} end,
        {q = tide.tensor({1}, {dtype = dtype}), p = tide.tensor({0}, {dtype = dtype})}, {0, 3, 7},
        {eager = eager, rtol = 1e-5, atol = 1e-7, events = {
          {g = function(_, y) return y.q[1] end, name = "q", direction = -1},
          {g = function(t) return t - 2.5 end, name = "time"},
          {g = function(_, y) return y.p:sum() end}}})
      local names = {}
      for i, e in ipairs(stats.events) do
        names[i] = e.name or "p"
        assert(e.y.q:dtype() == dtype and #e.y.q == 1)
      end
      assert(table.concat(names, " ") == "q time p p", table.concat(names, " "))
      near(stats.events[1].t, math.pi / 2, 1e-4)
      near(stats.events[2].t, 2.5, 1e-12)
      near(stats.events[4].t, 2 * math.pi, 1e-4)
      assert(stats.t_end == 7 and #ys.q == 3)
    end
  end
end

tests["events that change nothing leave the solve as it is"] = function()
  local function field(t, y) return tide.stack{y[2], -y[1] * (1 + tide.sin(t))} end
  local y0 = tide.tensor({1, 0}, f64)
  for _, m in ipairs(check.methods()) do
    local o = m.kind == "adaptive" and {method = m.name} or {method = m.name, steps = 30}
    local ys, s = tide.odeint(field, y0, {0, 1, 5}, o)
    o.events = {{g = function(_, y) return y[1] - 0.3 end}}
    local again, t = tide.odeint(field, y0, {0, 1, 5}, o)
    assert((ys - again):abs():max():item() == 0 and s.accepted == t.accepted and #t.events > 0, m.name)
  end
end

tests["terminal: the first, or the one of a number; outputs behind it repeat its state"] = function()
  local function run(terminal, direction)
    return tide.odeint(function(_, y) return tide.stack{y[2], -y[1]} end, tide.tensor({0, 1}, f64),
      {0, 1, 5, 20, 30}, {rtol = 1e-9, atol = 1e-9, events = {{g = function(_, y) return y[1] end,
        terminal = terminal,
        direction = direction}}})
  end
  local pi = math.pi
  for _, case in ipairs{{true, 0, 1, pi}, {2, 0, 2, 2 * pi}, {2, -1, 2, 3 * pi}, {1, 1, 1, 2 * pi}} do
    local ys, s = run(case[1], case[2])
    assert(#s.events == case[3])
    near(s.t_end, case[4], 1e-7)
    assert(s.events[#s.events].t == s.t_end)
    for i = 1, 5 do
      if ({0, 1, 5, 20, 30})[i] > s.t_end then
        assert((ys[i] - s.events[#s.events].y):abs():max():item() == 0)
      end
    end
    near(ys[2][1], math.sin(1), 1e-7)
  end
  local _, s = run(false, 0)
  assert(#s.events == 9 and s.t_end == 30)
end

tests["no event where g is 0 at the beginning, or always, or touches 0"] = function()
  local function events_of(g, span) return #clock(span or {0, 3}, {{g = g}}) end
  assert(events_of(function(t) return t end) == 0)
  assert(events_of(function(t) return -t end) == 0)
  assert(events_of(function(t) return t end, {0, -3}) == 0)
  assert(events_of(function() return 0 end) == 0)
  assert(events_of(function(t) return t * (t - 1) end) == 1)
  assert(events_of(function(t) return (t - 1) ^ 2 + 1e-12 end) == 0)
  assert(events_of(function(t) return t - 3 end) == 1) -- at the very end
  assert(events_of(function(t) return t < 1 and -1 or 1 end) == 1)
  times_are(clock({0, 3}, {{g = function(t) return math.floor(t) - 0.5 end}}), {1}, 1e-11)
end

tests["steps past the end see nothing there"] = function()
  local function count(last)
    local _, s = tide.odeint(function(_, y) return -y end, tide.ones({1}, f64), {0, last},
      {final = "interpolate",
      first_step = 3, rtol = 0.5, atol = 0.5, events = {{g = function(t) return t - 1 end,
        apply = function(_, y) return y + 1 end}}})
    return #s.events
  end
  assert(count(0.9) == 0 and count(1.1) == 1)
end

tests["several events in one step come in order, those that fall together by their number"] = function()
  local list = {}
  for i = 1, 20 do list[i] = {g = function(t) return t - (i * 7 % 20 + 1) / 21 end} end
  local events = clock({0, 1}, list, {first_step = 1})
  assert(#events == 20)
  for i = 2, 20 do assert(events[i].t > events[i - 1].t) end
  -- all change the state at the same time
  local together = {}
  for i = 1, 3 do
    together[i] = {g = function(t) return t - 0.5 end, apply = function(_, y) return {10 * y[1] + i} end}
  end
  local seen, ys = clock({0, 1}, together)
  assert(#seen == 3 and seen[1].event == 1 and seen[2].event == 2 and seen[3].event == 3)
  for _, e in ipairs(seen) do near(e.y[1], 0.5) end
  near(ys[2][1], 500 + 123 + 0.5, 1e-9)
end

tests["a zero at the end of a step does not hide one before it"] = function()
  for i = 0, 40 do
    local at = 0.5 + 0.48 * i / 40 -- of a step that ends at 1
    local events = clock({0, 2}, {{g = function(t) return (t - at) * (t - 1) end}},
      {first_step = 1, max_step = 1})
    assert(#events == 2 and events[1].direction == -1 and events[2].direction == 1, at)
    near(events[1].t, at)
    near(events[2].t, 1)
    local function five(t) return (t - 0.1) * (t - 0.35) * (t - 0.6) * (t - at) * (t - 1) end
    assert(at < 0.63 or #clock({0, 2}, {{g = five}}, {first_step = 1, max_step = 1}) == 5)
  end
end

tests["events that t hardly tells apart are in the order of their numbers, at one time"] = function()
  for _, apply in ipairs{false, function(_, y) return {y[1]} end} do
    for i = 1, 60 do
      local at = 0.1 + 0.8 * (i * 0.6180339887498949 % 1)
      local events = clock({0, 1}, {{g = function(t) return (t - at) * 3 end},
        {g = function(t) return (t - at) * (t + 1.3) * 7 end, apply = apply or nil}})
      assert(#events == 2 and events[1].event == 1 and events[2].event == 2 and events[1].t == events[2].t)
    end
  end
end

local function ball(g, restitution, opts)
  opts.events[1] = {g = function(_, y) return y[1] end, direction = g, name = "floor",
    apply = function(_, y)
      return opts.plain and {y[1], -restitution * y[2]} or tide.stack{y[1], -restitution * y[2]}
    end}
  local y0, t = opts.plain and {1, 0} or tide.tensor({1, 0}, f64), opts.t
  opts.t = nil
  return tide.odeint(function(_, y)
    return opts.plain and {y[2], -9.81} or tide.stack{y[2], -9.81 + 0 * y[1]}
  end, y0, t, opts)
end

-- Times of the bounces of a ball that falls from 1.
local function bounces(restitution, n)
  local t = {math.sqrt(2 / 9.81)}
  for i = 2, n do t[i] = t[i - 1] + 2 * math.sqrt(2 / 9.81) * restitution ^ (i - 1) end
  return t
end

tests["a ball that bounces: hundreds of times, with either direction, in any method"] = function()
  for _, direction in ipairs{-1, 0} do
    for _, plain in ipairs{true, false} do
      local _, s = ball(direction, 0.95, {t = {0, 17.6}, plain = plain, events = {}})
      times_are(s.events, bounces(0.95, #s.events), 1e-9)
      assert(#s.events > 100)
      for i, e in ipairs(s.events) do near(e.y[2], -math.sqrt(2 * 9.81) * 0.95 ^ (i - 1), 1e-9) end
    end
  end
  for _, m in ipairs(check.methods()) do
    if m.order > 1 and m.dense_order > 1 then
      local o = {t = {0, 3}, plain = true, method = m.name, events = {}}
      if m.kind ~= "adaptive" or m.varying_order then o.steps = 25 end -- these begin with order 1
      local _, s = ball(-1, 0.8, o)
      -- a Rosenbrock method is as exact as its Jacobian, here one of differences
      times_are(s.events, bounces(0.8, #s.events), m.family == "rosenbrock" and 1e-7 or 1e-9)
      assert(#s.events == 6, m.name)
    end
  end
end

tests["bounces that pile up are a failure with a remedy"] = function()
  for _, restitution in ipairs{0.9, 0.5, 0.1} do
    local ok, failure = pcall(ball, -1, restitution, {t = {0, 20}, plain = true, events = {}})
    assert(not ok and failure.status == "underflow")
    fails({"event 1 floor", "again and again", "terminal = n"}, error, failure)
    near(failure.t, math.sqrt(2 / 9.81) * (1 + 2 * restitution / (1 - restitution)), 1e-6)
  end
  local _, s = ball(-1, 0.5, {t = {0, 20}, plain = true, events = {}, on_failure = "return"})
  assert(s.failure.status == "underflow" and s.t_end == s.failure.t)
end

tests["an output exactly at an event is the state behind it"] = function()
  local function run(times, apply)
    return (tide.odeint(function() return {1} end, {0}, times, {plain = true,
      events = {{g = function(t) return math.abs(t) - 0.5 end, apply = apply}}}))
  end
  local ys = run({0, 0.25, 0.5, 0.75, 1}, function(_, y) return {y[1] + 10} end)
  for i, want in ipairs{0, 0.25, 10.5, 10.75, 11} do near(ys[i][1], want) end
  ys = run({0, 0.5}, function(_, y) return {y[1] + 10} end)
  near(ys[2][1], 10.5)
  ys = run({0, -0.5, -1}, function(_, y) return {y[1] + 10} end)
  near(ys[2][1], 9.5)
  near(ys[3][1], 9)
end

tests["so is one that the step before has as its end, by rounding; gradients of every kind too"] = function()
  local function solve(y0, at, kind)
    local event = {g = function(s) return s - at end, apply = function(_, y) return y * 2 end}
    return tide.odeint(function(_, y) return 0 * y end, y0, {0.3, at, -0.7},
      {method = "rk4", steps = 10, gradient = kind, events = {event}})
  end
  for k = 1, 9 do
    local node = 0.3 - k * 0.1
    for i = -4, 4 do
      local at = node + i * math.abs(node) * 2.0 ^ -53
      assert(solve(tide.ones({1}, f64), at)[2]:item() == 2)
      for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
        near(tide.grad(function(y) return solve(y, at, kind)[2]:sum() end)(tide.ones({1}, f64)):item(), 2)
      end
    end
  end
end

tests["apply: y of the event is before it, t0 and names arrive, g jumps across 0"] = function()
  local seen
  local _, s = tide.odeint(function() return tide.ones({2}, f64) end, tide.zeros({2}, f64), {0, 2},
    {eager = true, events = {{g = function(_, y) return y[1] - 1 end, name = "one", apply = function(t, y)
      seen = {t, y:totable()}
      return y - 5
    end}}})
  near(seen[1], 1)
  near(seen[2][2], 1)
  assert(#s.events == 1 and s.events[1].name == "one")
  near(s.events[1].y[2], 1)
end

-- ---- 10^3 random problems ----

local G = {}
G.__index = G
function G:real() -- splitmix64
  self.state = self.state + 0x9E3779B97F4A7C15
  local z = self.state
  z = (z ~ z >> 30) * 0xBF58476D1CE4E5B9
  z = (z ~ z >> 27) * 0x94D049BB133111EB
  return ((z ~ z >> 31) >> 11) / 2 ^ 53
end

local kinds = {
  polynomial = function(r, span)
    local roots, n = {}, r:real() * 9 // 1
    while #roots < n do
      local root, apart = (0.02 + 0.96 * r:real()) * span, true
      for _, other in ipairs(roots) do apart = apart and math.abs(root - other) > 0.0201 * span end
      if apart then roots[#roots + 1] = root end
    end
    return roots, function(x)
      local p = 1
      for _, root in ipairs(roots) do p = p * (x - root) end
      return p
    end
  end,
  oscillation = function(r, span)
    local half, phase, roots = span * (0.0205 + r:real() ^ 2 / 2), r:real(), {}
    while (#roots + phase) * half < span do roots[#roots + 1] = (#roots + phase) * half end
    return roots, function(x) return math.sin(math.pi * (x / half - phase)) end
  end,
  pair = function(r, span)
    local c, d, w = 0.1 + 0.8 * r:real(), 0.0101 + r:real() ^ 3 / 20, 20 * r:real()
    return {(c - d) * span, (c + d) * span}, function(x)
      x = x / span
      return (math.cos(x) + math.sin(w * x) / 10) * ((x - c) ^ 2 - d * d) * math.exp(w * x / 4)
    end
  end,
}

tests["1200 random g: no zero is missed that is 2 % of the step from the next, none comes twice"] = function()
  local r = setmetatable({state = 7}, G)
  for trial = 1, 1200 do
    local kind = ({"polynomial", "oscillation", "pair"})[trial % 3 + 1]
    local span = 1 + 10 * r:real()
    local roots, g = kinds[kind](r, span)
    local back = r:real() < 0.5
    table.sort(roots, function(a, b) if back then return a > b end return a < b end)
    local events = clock(back and {span, 0} or {0, span}, {{g = function(_, y) return g(y[1]) end}},
      {first_step = r:real() < 0.5 and span or nil})
    assert(#events == #roots, ("%s %d: %d for %d"):format(kind, trial, #events, #roots))
    for i, root in ipairs(roots) do near(events[i].t, root, 1e-9) end
  end
end

-- ---- misuse ----

local function solve(events, opts)
  opts = opts or {}
  opts.events = events
  return tide.odeint(function(_, y) return -y end, tide.ones{2}, {0, 1}, opts)
end
local function crossing(_, y) return y[1] - 0.5 end

tests["events that are none, with what was expected"] = function()
  fails({"events must be a list", "{{g ="}, solve, {g = crossing})
  fails("events must be a table", solve, crossing)
  fails({"events must be a list", '"g2"'}, solve, {{g = crossing}, g2 = {}})
  fails({"event 1", "must be a table"}, solve, {crossing})
  fails({"event 2", "g must be a function", "nil"}, solve, {{g = crossing}, {}})
  fails({"event 1", "directions", "did you mean"}, solve, {{g = crossing, directions = 1}})
  fails({"event 1", "direction"}, solve, {{g = crossing, direction = 2}})
  fails({"event 1", "direction"}, solve, {{g = crossing, direction = "up"}})
  fails({"event 1", "terminal", "0"}, solve, {{g = crossing, terminal = 0}})
  fails({"event 1", "terminal"}, solve, {{g = crossing, terminal = 1.5}})
  fails({"event 1", "apply must be a function"}, solve, {{g = crossing, apply = 3}})
  fails({"event 1", "name"}, solve, {{g = crossing, name = 3}})
  fails({"event 1", "31 bytes"}, solve, {{g = crossing, name = ("x"):rep(40)}})
  local _, stats = solve{}
  assert(stats.events == nil)
end

tests["g and apply that return what they must not"] = function()
  for _, eager in ipairs{false, true} do
    local o = {eager = eager}
    fails({"g of event 1", "nil", "return"}, solve, {{g = function() end}}, o)
    fails({"g of event 1 (level)", "a table"}, solve, {{g = function() return {} end, name = "level"}}, o)
    fails({"g of event 1", "shape {2}", "g:sum()"}, solve, {{g = function(_, y) return y end}}, o)
    fails({"g of event 1 is NaN at t = 0"}, solve, {{g = function(_, y) return (-y:sum()):sqrt() end}}, o)
    fails({"g of event 2 late is NaN at t = 0."}, solve,
      {{g = crossing}, {name = "late", g = function(_, y) return (y:sum() - 1.9):sqrt() end}}, o)
    fails({"apply of event 1 returned shape {1}", "{2}"}, solve,
      {{g = crossing, apply = function(_, y) return y:slice(1, 1, 1) end}}, o)
    fails({"apply of event 1 must return a tensor", "nil"}, solve,
      {{g = crossing, apply = function() end}}, o)
    fails({"apply of event 1 returned float64", "float32"}, solve,
      {{g = crossing, apply = function(_, y) return y:to("float64") end}}, o)
    fails({"NaN or Inf in what apply returned"}, solve,
      {{g = crossing, apply = function(_, y) return y / 0 end}}, o)
  end
  local word = {}
  local ok, message = pcall(solve, {{g = function() error(word) end}}, {eager = true})
  assert(not ok and message == word)
  fails("apply of an event must return an array of 1 numbers", clock, {0, 1},
    {{g = function(t) return t - 0.5 end, apply = function() return 3 end}})
  fails("g of event 1", clock, {0, 1}, {{g = function() return "x" end}})
end

tests["compiled solves find their events at each run"] = function()
  local run = tide.compile(function(level)
    return tide.odeint(function(_, y) return -y end, tide.ones({1}, f64), {0, 5}, {rtol = 1e-9,
      atol = 1e-9, events = {{g = function(_, y) return y[1] - level end, name = "level",
        apply = function(_, y) return y + 2 * level end}}})
  end)
  for _, level in ipairs{0.5, 0.1, 0.5} do
    local _, stats = run(tide.tensor(level, f64))
    near(stats.events[1].t, -math.log(level), 1e-7)
    near(stats.events[1].y[1], level, 1e-9)
    assert(#stats.events == 1 + math.floor((5 + math.log(level)) / math.log(3)))
    assert(stats.events[1].name == "level" and stats.t_end == 5)
  end
end

return tests
