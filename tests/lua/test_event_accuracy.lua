--- How far off events and their gradients are, in tolerances, on random smooth problems.
--
-- What is left is the solve's own error, and what a slow g makes of it: an event's time moves by 1 / |dg/dt|,
-- the gradient of that by its square (core/NUMERICS.md has the measured medians).

local tide = require "tide"

local tests = {}

local function field(p)
  local turn = p.S - p.S:transpose()
  return function(t, y)
    return tide.tanh(tide.matmul(p.W, y) + p.b + tide.sin(1.3 * t) * 0.5) + tide.matmul(turn, y)
  end
end

local function event(q, p, options)
  return tide.ode.event(field(p), p.y0, 0, function(t, y)
    return (p.c * y):sum() - q.level + 0.1 * tide.cos(t)
  end, options)
end

local function solver(method, tol) return {method = method, rtol = tol, atol = tol, max_time = 20} end

local losses = {
  time = function(q, o) return function(p) local t = event(q, p, o) return t end end,
  state = function(q, o) return function(p) local _, y = event(q, p, o) return (q.w * y):sum() end end,
}

local function gradient(loss, p)
  local g = tide.grad(loss)(p)
  return tide.cat({g.W:reshape{-1}, g.S:reshape{-1}, g.b, g.y0, g.c}, 1)
end

-- One whose event is clear: |dg/dt| is 0.1 or more there.
local function problem(seed)
  local function normal(shape, i, size)
    return tide.randn(shape, {seed = seed * 17 + i, dtype = "float64"}) * size
  end
  local p = {W = normal({3, 3}, 1, 0.9), S = normal({3, 3}, 2, 0.8), b = normal({3}, 3, 0.5),
    y0 = normal({3}, 4, 1), c = normal({3}, 5, 0.7)}
  local end_time = 1 + 3 * tide.rand({1}, {seed = seed, dtype = "float64"})[1]
  local y = tide.odeint(field(p), p.y0, {0, end_time}, {method = "dop853", rtol = 1e-10, atol = 1e-10})[2]
  local q = {p = p, w = normal({3}, 6, 1), level = (p.c * y):sum():item() + 0.1 * math.cos(end_time)}
  local t, at = event(q, p, solver("dop853", 1e-13))
  q.t = t:item()
  local rate = (p.c * field(p)(t, at)):sum():item() - 0.1 * math.sin(q.t)
  if math.abs(rate) < 0.1 or q.t < 0.3 then return nil end
  for name, loss in pairs(losses) do q[name] = gradient(loss(q, solver("dop853", 1e-13)), p) end
  return q
end

local problems = {}
for seed = 1, 60 do
  if #problems < 40 then problems[#problems + 1] = problem(seed) end
end

-- Errors in tolerances, sorted: of the time, which has a size of 1 + t, and of gradients by their largest
-- number.
local function errors(method, tol)
  local o, of = solver(method, tol), {t = {}, time = {}, state = {}}
  for _, q in ipairs(problems) do
    table.insert(of.t, math.abs(event(q, q.p, o):item() - q.t) / (1 + q.t) / tol)
    for name, loss in pairs(losses) do
      local g = gradient(loss(q, o), q.p)
      table.insert(of[name], ((g - q[name]):abs():max() / q[name]:abs():max()):item() / tol)
    end
  end
  for _, list in pairs(of) do table.sort(list) end
  return of
end

-- Of 40 problems: the largest error of a time; medians of the gradients of time and state, and what nine of
-- ten are within. Where steps are not made again up to an event, dopri5 has 12, 8, 98 at 1e-4, tsit5 36, 3.6,
-- 31, rodas4 7, 1.1, 7.
local reached = {
  {"dopri5", 1e-4, 18, 7, 45},
  {"dopri5", 1e-6, 10, 5, 40},
  {"tsit5", 1e-6, 6, 3.5, 18},
  {"rodas4", 1e-6, 2, 0.5, 6},
  {"kvaerno5", 1e-6, 70, 16, 140},
  {"dop853", 1e-6, 4, 3, 22},
  {"radau5", 1e-6, 0.3, 0.15, 1.2},
  {"bdf", 1e-6, 30, 16, 200},
}

tests["times of events, and gradients of these and of the states there, as near as was reached"] = function()
  assert(#problems == 40)
  for _, row in ipairs(reached) do
    local method, tol, time, median, most = table.unpack(row)
    local of = errors(method, tol)
    local function within(what, value, limit)
      if not (value <= limit) then
        error(("%s at %g: %s is off by %.3g tolerances, not by %g"):format(method, tol, what, value, limit))
      end
    end
    within("a time", of.t[40], time)
    for name in pairs(losses) do
      within("the median gradient of " .. name, of[name][20], median)
      within("nine of ten gradients of " .. name, of[name][36], most)
    end
  end
end

-- How many steps are made again because of an event in the middle of the fifth one.
local function made_again(method, what, f)
  local p, ends = problems[1].p, {}
  local o = {method = method, rtol = 1e-6, atol = 1e-6}
  local function solve() return select(2, tide.odeint(f or field(p), p.y0, {0, 5}, o)) end
  o.on_step = function(step) table.insert(ends, step.t) return #ends == 5 and "stop" or nil end
  local before = solve()
  local middle = (ends[4] + ends[5]) / 2
  local e = {g = function(t, y) return y:sum() * 0 + t - middle end}
  for name, value in pairs(what) do e[name] = value end
  o.events, o.on_step = {e}, function(step) return step.t > middle - 1e-9 and "stop" or nil end
  local stats = solve()
  assert(#stats.events == 1 and math.abs(stats.events[1].t - middle) < 1e-13)
  assert(stats.accepted + stats.rejected == stats.steps)
  return stats.rejected - before.rejected
end

tests["a step that an event cuts is made again where the interpolant is coarse"] = function()
  local ends, changes = {terminal = true}, {apply = function(_, y) return y end}
  for method, times in pairs{dopri5 = 1, tsit5 = 1, rodas4 = 1, kvaerno5 = 1, auto = 1,
      bosh3 = 0, dop853 = 0, radau5 = 0, bdf = 0, alf = 0} do
    for _, what in ipairs{ends, changes} do assert(made_again(method, what) == times, method) end
    assert(made_again(method, {}) == 0, method)
  end
  -- a solution that the interpolant has exactly
  assert(made_again("dopri5", ends, function(t, y) return y * 0 + t end) == 0)
end

return tests
