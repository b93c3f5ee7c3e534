--- Second derivatives through events: on grids and where steps adapt, of solves that end, by times, of
-- samples, of ode.event.

local check = require "check"
local tide = require "tide"

local tests = {}
local near, with = check.near, check.with
local f64 = {dtype = "float64"}
local TIGHT = {rtol = 1e-11, atol = 1e-11}

local function tensor(x) return tide.tensor(x, f64) end

-- The largest error of a product with the Hessian, as a share; order 4 in h.
local function compare(what, loss, p, limit, exact)
  local v, g = tide.randn({#p}, {seed = 11, dtype = "float64"}), tide.grad(exact or loss)
  local h = exact and 1e-3 or 1e-5
  local function at(c) return g(p + v * (c * h)) end
  local want = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)
  local _, hv = tide.hvp(loss, p, v)
  near((hv - want):abs():max():item() / want:abs():max():item(), 0, limit, what)
  local _, slope = tide.jvp(loss, p, v)
  local along = (g(p) * v):sum():item()
  near(slope:item(), along, limit * math.max(1, math.abs(along)), what .. ", jvp")
end

-- Every kind of method on fine grids, and where steps adapt; limit: of what is on a grid.
local cases = {
  {{method = "rk4", steps = 400}, 3e-6}, {{method = "dopri8", step_size = 0.02}, 1e-6},
  {{method = "radau5", steps = 400}, 3e-6}, {{method = "rodas4", step_size = 0.002}, 3e-6},
  {{method = "abm", steps = 2000}, 3e-6}, {{method = "alf", steps = 4000}, 3e-6}, {TIGHT},
  {with(TIGHT, {method = "dopri8"})}, {with(TIGHT, {method = "radau5"})},
  {with(TIGHT, {method = "rodas4"})}, {with(TIGHT, {method = "adams"})}, {with(TIGHT, {method = "auto"})},
  {with(TIGHT, {gradient = "adjoint"})}, {with(TIGHT, {gradient = "checkpoint"})},
  {with(TIGHT, {gradient = "interpolated"})},
}

-- p = {gravity, restitution, level, height, speed, first and last time}
local weights = tensor{{0.1, 0.2}, {1, 2}, {0.3, -1}, {0.5, 0.7}, {-1, 0.4}}
local function ball(o, acts, terminal)
  return function(p)
    local event = {g = function(t, y) return y[1] - p[3] * tide.sin(t) end, direction = -1,
      terminal = terminal, apply = acts and function(t, y)
        return tide.stack{y[1] + 0.01 * t, -p[2] * y[2] * (1 + 0.1 * t)}
      end or nil}
    local t = tide.cat({p:slice(1, 6, 6), tensor{0.31, 0.77, 1.23}, p:slice(1, 7, 7)}, 1)
    local ys = tide.odeint(function(s, y)
      return tide.stack{y[2] * (1 + 0.1 * tide.sin(3 * s)), -p[1] - 0.1 * y[2]}
    end, p:slice(1, 4, 5), t, with(o, {events = {event}}))
    return (ys * weights):sum() + ys:sin():sum()
  end
end
local falling = tensor{9.81, 0.8, 0.05, 1, 0.1, 0.02, 1.4}

for name, what in pairs{["that change the state"] = {true, false}, ["that end the solve"] = {false, true},
                        ["that do both, at the second one"] = {true, 2}} do
  tests["events " .. name .. ", by parameters, y0 and times"] = function()
    local exact = ball({method = "adams", rtol = 1e-13, atol = 1e-13}, what[1], what[2])
    for _, case in ipairs(cases) do
      local o = case[1]
      compare(o.method or o.gradient or "dopri5", ball(o, what[1], what[2]), falling, case[2] or 1e-6, exact)
    end
  end
end

tests["of any order"] = function()
  local u, v = tide.randn({7}, {seed = 3, dtype = "float64"}), tide.randn({7}, {seed = 4, dtype = "float64"})
  for _, terminal in ipairs{false, 2} do
    local loss = ball(with(TIGHT, {method = "dopri8"}), true, terminal)
    local function product(p) return (select(2, tide.hvp(loss, p, u))) end
    local want = (product(falling + v * 1e-5) - product(falling - v * 1e-5)) / 2e-5
    local _, got = tide.jvp(product, falling, v)
    near((got - want):abs():max():item() / want:abs():max():item(), 0, 1e-6)
  end
end

-- p = {gravity, level, height, speed, t0}
local function landing(o)
  return function(p)
    local t, y = tide.ode.event(function(s, x)
      return {h = x.v * (1 + 0.1 * tide.sin(s)), v = -p[1] + 0.1 * x.h * s - 0.1 * x.v ^ 2}
    end, {h = p[3], v = p[4]}, p[5], function(s, x) return x.h - p[2] * tide.cos(s) end, o)
    return t ^ 3 + y.h:sin() * y.v + y.v * t
  end
end

tests["ode.event: by y0, parameters and t0"] = function()
  local p, exact = tensor{9.81, 0.1, 1, 0.3, 0.2}, landing{method = "adams", rtol = 1e-13, atol = 1e-13}
  for _, o in ipairs{{method = "rk4", step_size = 0.002}, {method = "radau5", steps = 400, max_time = 3},
      TIGHT, with(TIGHT, {method = "dopri8"}), with(TIGHT, {method = "radau5"}),
      with(TIGHT, {method = "bdf"}), with(TIGHT, {gradient = "adjoint"}),
      with(TIGHT, {gradient = "checkpoint"})} do
    compare(o.method or o.gradient or "dopri5", landing(o), p, 1e-6, exact)
  end
  -- a free fall: t = sqrt(2 h / g)
  for _, dtype in ipairs{"float64", "float32"} do
    local function time(q)
      return (tide.ode.event(function(_, y) return tide.stack{y[2], 0 * y[1] - q[2]} end,
        tide.stack{q[1], 0 * q[1]}, 0, function(_, y) return y[1] end))
    end
    local q, limit = tide.tensor({1.5, 9.81}, {dtype = dtype}), dtype == "float32" and 1e-5 or 1e-12
    local H, t = tide.hessian(time, q), math.sqrt(2 * 1.5 / 9.81)
    near(H[1][1], -t / (4 * 1.5 ^ 2), limit)
    near(H[1][2], -t / (4 * 1.5 * 9.81), limit)
    near(H[2][2], 3 * t / (4 * 9.81 ^ 2), limit)
    local again = tide.compile(function(x) return tide.hessian(time, x) end)(q)
    near((again - H):abs():max():item(), 0, 0)
  end
end

-- ---- samples ----

-- Two numbers for each of four samples, a rate for each, and what they share.
local function samples(o, acts, terminal)
  return function(p)
    local function column(y, i) return y:slice(2, i, i) end
    local y0 = tide.cat({p:slice(1, 1, 4):reshape{4, 1}, p:slice(1, 5, 8):reshape{4, 1}}, 2)
    local rate, w = p:slice(1, 9, 12):reshape{4, 1}, p:slice(1, 13, 14)
    local ys, _, q = tide.odeint(function(t, y)
      return tide.cat({column(y, 2) * (1 + 0.1 * tide.sin(3 * t)), -rate - 0.1 * column(y, 2)}, 2)
    end, y0, tide.cat({p:slice(1, 15, 15), tensor{0.3, 0.5, 0.7}}, 1), with(o, {per_sample = true, events = {
      {g = function(t, y) return y:select(2, 1) - 0.2 * tide.sin(t) * w[2] end, direction = -1,
        terminal = terminal, apply = acts and function(t, y)
          return tide.cat({column(y, 1) + 0.01 * t, -w[1] * column(y, 2) * (1 + 0.1 * t)}, 2)
        end or nil},
      {g = function(t, y) return y:select(2, 2) - 0.03 * t + w[2] end, direction = -1,
        apply = acts and function(t, y) return y * (1 + 0.05 * t * w[2]) end or nil}}}))
    local loss = (ys:sin() * tensor{{{1, 2}, {3, 4}, {5, 6}, {7, 8}}}):sum() + ys:square():sum()
    return q and loss + q:sin():sum() or loss
  end
end

tests["per_sample: each sample's own events"] = function()
  local p = tensor{1, 1.2, 0.8, 0.5, 0.1, 0.2, 0.5, -0.1, 9, 8, 7, 6, 0.8, 0.3, 0.02}
  for _, what in ipairs{{true, false}, {true, 2}, {false, true}} do
    local exact = samples({method = "adams", rtol = 1e-13, atol = 1e-13}, what[1], what[2])
    for _, o in ipairs{{method = "dopri8", steps = 60}, TIGHT, with(TIGHT, {method = "radau5"}),
        with(TIGHT, {gradient = "adjoint"}), with(TIGHT, {gradient = "checkpoint"})} do
      compare(o.method or o.gradient or "dopri5", samples(o, what[1], what[2]), p, 2e-6, exact)
    end
  end
  local function integral(_, y) return y:square():sum(2) end
  local o = with(TIGHT, {quadrature = integral, method = "dopri8"})
  compare("quadrature", samples(o, true, 3), p, 1e-6, samples(with(o, {method = "adams"}), true, 3))
end

tests["per_sample: the times at which samples arrive"] = function()
  local p, w = tensor{1, 1.2, 0.8, 9, 8, 7, 0.1}, tensor{1, -2, 0.5}
  local o = with(TIGHT, {per_sample = true})
  local function loss(q)
    local rate = q:slice(1, 4, 6):reshape{3, 1}
    local t, y = tide.ode.event(function(s, x)
      local speed = x:slice(2, 2, 2)
      return tide.cat({speed * (1 + 0.1 * s), -rate - 0.1 * speed}, 2)
    end, tide.cat({q:slice(1, 1, 3):reshape{3, 1}, tide.zeros({3, 1}, f64)}, 2), q[7],
      function(_, x) return x:slice(2, 1, 1) - q[7] end, o)
    return (t:square() * w):sum() + (y:select(2, 2):sin() * w):sum()
  end
  compare("arrivals", loss, p, 3e-6)
  local again = tide.compile(function(q) return tide.hessian(loss, q) end)(p)
  near((again - tide.hessian(loss, p)):abs():max():item(), 0, 0)
end

tests["allocations that fail leave nothing behind"] = function()
  for _, o in ipairs{{method = "rk4", steps = 5}, {method = "rk4", step_size = 0.1}} do
    local loss = o.steps and ball(o, true, 2) or landing(o)
    check.survives(function()
      return tide.grad(function(q) return tide.grad(loss)(q):square():sum() end)(falling):sum():item()
    end, 1500, 7, 100)
  end
end

return tests
