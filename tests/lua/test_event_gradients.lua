--- Derivatives by times: of outputs, of the ends of the span, of events and through them; ode.event.

local tide = require "tide"
local check = require "check"

local tests = {}
local fails, near = check.fails, check.near
local f64 = {dtype = "float64"}

local function tensor(x) return tide.tensor(x, f64) end

-- The gradient of f at x, a 1-D tensor, against differences of order 4.
local function against_differences(what, f, x, h, tolerance)
  local _, gradient = tide.value_and_grad(f)(x)
  local list = x:totable()
  for i = 1, #list do
    local function at(d)
      local moved = {table.unpack(list)}
      moved[i] = moved[i] + d
      return f(tensor(moved)):item()
    end
    local numeric = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    if not (math.abs(gradient[i] - numeric) <= tolerance * math.max(1, math.abs(numeric))) then
      error(("%s, %d: %.12g, differences %.12g"):format(what, i, gradient[i], numeric))
    end
  end
end

-- On a grid the gradient is exact but for methods that look at steps before.
local function grids(visit)
  for _, m in ipairs(check.methods()) do
    local one_step = m.family ~= "multistep"
    if not m.varies then
      visit({method = m.name, steps = 17}, m, one_step)
      if one_step then visit({method = m.name, step_size = 0.13}, m, true) end
    end
  end
end

local function wave(t, y) return tide.stack{y[2] * tide.cos(t), -y[1] * t - 0.3 * y[2] ^ 2} end
local weights = tensor{{0.1, 0.4}, {1, 2}, {0.3, -1}, {-1, 1}}

local function loss_by_times(options)
  return function(t)
    local ys = tide.odeint(wave, tensor{1, 0.5}, t, options)
    return (ys * weights):sum()
  end
end

tests["dL/dt of every time: fixed grids, exact"] = function()
  local times = tensor{0.2, 0.52, 0.9, 1.25}
  grids(function(o, m)
    against_differences(m.name, loss_by_times(o), times, 1e-4, 1e-9)
  end)
  for _, o in ipairs{{method = "rk4", steps = 9}, {method = "rk4", step_size = 0.11}} do
    against_differences("backwards", loss_by_times(o), tensor{1.3, 0.9, 0.6, -0.2}, 1e-4, 1e-9)
  end
  -- times on the grid, where an interpolant may have kinks
  local nodes = tensor{0, 0.3, 0.5, 1}
  against_differences("nodes", loss_by_times{method = "midpoint", steps = 10}, nodes, 1e-4, 1e-4)
  against_differences("nodes", loss_by_times{method = "rk4", steps = 10}, nodes, 1e-4, 1e-8)
end

tests["of symplectic steps: by times, and through events that change the state"] = function()
  local function loss(o, events)
    return function(t)
      local function f(s, y) return {q = y.p * (1 + 0.1 * tide.sin(s)), p = -tide.sin(y.q) * tide.cos(s)} end
      o.method = "leapfrog_verlet"
      o.events = events and {{g = function(s, y) return y.q - 0.8 - 0.02 * s end,
        apply = function(s, y) return {q = y.q * 0.5, p = -0.9 * y.p + 0.1 * s} end}} or nil
      local ys = tide.odeint(f, {q = tensor{0.7}, p = tensor{0.8}}, t, o)
      local q = (ys.q * ys.q * tensor{{0.1}, {1}, {0.3}, {2}}):sum()
      return q + (ys.p * tensor{{0.2}, {1}, {3}, {1}}):sum()
    end
  end
  for _, events in ipairs{false, true} do
    for _, o in ipairs{{steps = 17}, {step_size = 0.13}} do
      against_differences("verlet", loss(o, events), tensor{0.2, 0.52, 0.9, 1.25}, 1e-5, 1e-8)
    end
  end
end

tests["dL/dt of every time: steps that adapt, every kind of gradient"] = function()
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    for _, norm in ipairs{"clip", "interpolate"} do
      against_differences(kind, loss_by_times{rtol = 1e-10, atol = 1e-10, gradient = kind, final = norm},
        tensor{0.2, 0.52, 0.9, 1.25}, 1e-2, 1e-6)
    end
  end
  -- known: y = y0 exp(t - t0)
  local function f(t)
    return tide.odeint(function(_, y) return y end, tensor{2}, t, {rtol = 1e-11, atol = 1e-12})[3]:sum()
  end
  local g = tide.grad(f)(tensor{0.5, 1, 1.5})
  near(g[3], 2 * math.exp(1), 1e-8)
  near(g[2], 0)
  near(g[1], -2 * math.exp(1), 1e-8)
end

tests["times and the rest at once, compiled, float32; the others do not change"] = function()
  local function loss(p)
    return (tide.odeint(function(t, y) return wave(t, y) * p.k end, p.y0, p.t, {method = "rk4", steps = 8})
      * weights):sum()
  end
  local p = {k = tensor(1.1), y0 = tensor{1, 0.5}, t = tensor{0.2, 0.52, 0.9, 1.25}}
  assert(tide.gradcheck(loss, p))
  local g, again = tide.grad(loss)(p), tide.compile(tide.grad(loss))(p)
  assert((g.t - again.t):abs():max():item() == 0)
  local function rest(q) return loss{k = q.k, y0 = q.y0, t = p.t} end
  local without = tide.grad(rest){k = p.k, y0 = p.y0}
  near(g.k:item(), without.k:item(), 1e-13)
  near((g.y0 - without.y0):abs():max():item(), 0, 1e-13)
  local times = tide.tensor({0, 1}, f64)
  local single = tide.grad(function(t)
    local function decay(_, y) return -y end
    return tide.odeint(decay, tide.ones{1000, 2}, t, {method = "rk4", steps = 20}):sum()
  end)(times)
  near(single[2], -2000 * math.exp(-1), 1e-2)
  near(single[1] + single[2], 0, 1e-2)
end

-- Of all times, y0 and a parameter at once: p = {t..., y0, k}. Second ones by times inside the span are
-- those of the flow, which differences of the slopes of interpolants meet only roughly.
local function loss_of_all(o)
  return function(p)
    local ys = tide.odeint(function(t, y) return wave(t, y) * p[7] end, p:slice(1, 5, 6), p:slice(1, 1, 4),
      o)
    return (ys * weights):sum() + ys:sin():square():sum()
  end
end

tests["second derivatives by many times, and where options hang on t"] = function()
  local v, h = tide.randn({7}, {seed = 11, dtype = "float64"}), 1e-3
  for _, p in ipairs{tensor{0.2, 0.52, 0.9, 1.25, 1, 0.5, 1.1}, tensor{1.25, 0.9, 0.52, 0.2, 1, 0.5, 1.1}} do
    local exact = tide.grad(loss_of_all{method = "adams", rtol = 1e-13, atol = 1e-13})
    local function at(c) return exact(p + v * (c * h)) end
    local want = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)
    for _, o in ipairs{{method = "rk4", steps = 200}, {method = "rk4", step_size = 0.004},
        {method = "radau5", steps = 200}, {method = "rodas4", step_size = 0.004},
        {method = "gauss6", step_size = 0.004}, {method = "abm", step_size = 0.004, limit = 1e-5}, {},
        {method = "dopri8"}, {method = "radau5"}, {method = "rodas4"}, {method = "bdf"}, {method = "auto"},
        {gradient = "adjoint"}, {gradient = "checkpoint"}, {gradient = "interpolated"}, {stops = {0.6}},
        {jumps = {0.6}, max_step = 0.1, first_step = 0.01}} do
      local limit, name = o.limit or 1e-6, o.method or o.gradient or "dopri5"
      o.limit = nil
      if not (o.steps or o.step_size) then o.rtol, o.atol = 1e-10, 1e-10 end
      local _, hv = tide.hvp(loss_of_all(o), p, v)
      near((hv - want):abs():max():item() / want:abs():max():item(), 0, limit, name)
      local _, slope = tide.jvp(loss_of_all(o), p, v)
      near(slope:item(), (exact(p) * v):sum():item(), 10 * limit, name .. ", jvp")
    end
  end
end

tests["second derivatives by the ends of a grid, which move all steps, are exact"] = function()
  local function last(o, inner)
    return function(ends)
      local t = tide.cat({ends:slice(1, 1, 1), tensor(inner), ends:slice(1, 2, 2)}, 1)
      return (tide.odeint(wave, tensor{1, 0.5}, t, o)[2 + #inner]:sin()):sum()
    end
  end
  local p, h = tensor{0.2, 1.25}, 1e-5
  for _, m in ipairs{"euler", "rk4", "radau5", "rodas4", "alf"} do
    local loss = last({method = m, steps = 4}, {0.52, 0.9})
    local H, g = tide.hessian(loss, p), tide.grad(loss)
    for i, v in ipairs{tensor{1, 0}, tensor{0, 1}} do
      near((H[i] - (g(p + v * h) - g(p - v * h)) / (2 * h)):abs():max():item(), 0, 1e-7, m)
    end
  end
end

-- ---- through events ----

-- p = {gravity, restitution, level, t0, height, speed, end}; times: instead of those with t0 and the end
local function ball(options, w, times)
  return function(p)
    local o = {}
    for key, value in pairs(options) do o[key] = value end
    o.terminal, o.events = nil, {{g = function(t, y) return y[1] - p[3] * tide.sin(t) end, direction = -1,
      terminal = options.terminal, apply = function(t, y)
        return tide.stack{y[1] + 0.01 * t, -p[2] * y[2] * (1 + 0.1 * t)}
      end}}
    local t = times or tide.cat({p:slice(1, 4, 4), tensor{0.31, 0.77, 1.23}, p:slice(1, 7, 7)}, 1)
    local ys = tide.odeint(function(s, y)
      return tide.stack{y[2] * (1 + 0.1 * tide.sin(3 * s)), -p[1] - 0.1 * y[2]}
    end, p:slice(1, 5, 6), t, o)
    return (ys * w):sum()
  end
end
local ball_weights = tensor{{0.1, 0.2}, {1, 2}, {0.3, -1}, {0.5, 0.7}, {-1, 0.4}}
local ball_parameters = tensor{9.81, 0.8, 0.05, 0.02, 1, 0.1, 1.9}

tests["gradients through bounces on fixed grids are exact"] = function()
  grids(function(o, m, one_step)
    if not one_step then return end
    for _, terminal in ipairs{false, 2} do
      o.terminal = terminal
      -- longer differences are not true to 1e-8 where a method of order 1 bounces often
      against_differences(m.name, ball(o, ball_weights), ball_parameters, 1e-5, 1e-8)
    end
  end)
  for _, every in ipairs{1, 2, 4, 100} do
    local direct = tide.grad(ball({method = "rk4", steps = 17}, ball_weights))(ball_parameters)
    local kept = tide.grad(ball({method = "rk4", steps = 17, gradient = "checkpoint",
      checkpoint_steps = every}, ball_weights))(ball_parameters)
    assert((direct - kept):abs():max():item() == 0)
  end
end

tests["more events than the state has numbers, or fewer"] = function()
  local function level(i) return function(_, y) return y[1] * y[2] - 0.1 * i end end
  local function raise(_, y) return y + 0.05 end
  for _, n in ipairs{1, 3} do
    local list = {}
    for i = 1, n do list[i] = {g = level(i), apply = raise} end
    against_differences(n .. " events", function(y0)
      local ys, stats = tide.odeint(wave, y0, {0.2, 0.5, 1.4}, {method = "rk4", steps = 20, events = list})
      assert(n == 1 or tide.core.is_symbolic(ys) or #stats.events > 1)
      return (ys * weights:slice(1, 1, 3)):sum()
    end, tensor{1, 0.5}, 1e-5, 1e-7)
  end
end

tests["outputs in the step behind an event move with its time"] = function()
  local function loss(o, times)
    return function(at)
      local e = {g = function(s) return s - at[1] end, apply = function(_, y) return y * 0.9 end}
      o.events = {e}
      local ys = tide.odeint(wave, tensor{1, 0.5}, times, o)
      return (ys * weights:slice(1, 1, #times)):sum()
    end
  end
  for _, times in ipairs{{0, 0.39, 0.75}, {0, 0.4, 0.42, 0.75}, {0.75, 0.36, 0}} do
    grids(function(o, m, one_step)
      if not one_step then return end
      against_differences(m.name, loss(o, times), tensor{0.3789}, 1e-4, 1e-9)
    end)
  end
end

tests["gradients through bounces of steps that adapt, of every kind"] = function()
  for _, kind in ipairs{"checkpoint", "adjoint", "interpolated"} do
    for _, terminal in ipairs{false, 2} do
      against_differences(kind, ball({rtol = 1e-10, atol = 1e-10, terminal = terminal, gradient = kind},
        ball_weights), ball_parameters, 1e-3, 2e-6)
    end
  end
  for _, method in ipairs{"dopri5", "tsit5", "dopri8"} do
    for _, terminal in ipairs{false, 2} do
      against_differences(method, ball({method = method, rtol = 1e-10, atol = 1e-10, terminal = terminal},
        ball_weights), ball_parameters, 1e-3, 2e-6)
    end
  end
  -- the free ball: its position at the end, by height, in closed form
  local height = tensor{1, 0}
  local g = tide.grad(function(y0)
    local ys = tide.odeint(function(_, y) return tide.stack{y[2], -9.81 + 0 * y[1]} end, y0, {0, 0.8},
      {events = {{g = function(_, y) return y[1] end, direction = -1,
        apply = function(_, y) return tide.stack{y[1], -0.9 * y[2]} end}}})
    return ys:select(1, 2):select(1, 1)
  end)(height)
  -- h = 0.9 v (T - t) - g/2 (T - t)^2, v = sqrt(2 g h0), t = sqrt(2 h0 / g)
  local t, v = math.sqrt(2 / 9.81), math.sqrt(2 * 9.81)
  near(g[1], 0.9 * 9.81 / v * (0.8 - t) - (0.9 * v - 9.81 * (0.8 - t)) / (9.81 * t), 1e-10)
end

tests["events that change nothing do not change gradients nor second ones"] = function()
  local height = tensor{1.1}
  local function loss(events, kind)
    return function(y0)
      return tide.odeint(wave, y0, {0, 1}, {gradient = kind, events = events}):select(1, 2):sin():sum()
    end
  end
  local y0, none = tensor{1, 0.5}, {{g = function(_, y) return (y[1] - height):sum() end}}
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated", "forward"} do
    local difference = tide.grad(loss(none, kind))(y0) - tide.grad(loss(nil, kind))(y0)
    assert(difference:abs():max():item() == 0)
  end
  assert((tide.hessian(loss(none), y0) - tide.hessian(loss(nil), y0)):abs():max():item() == 0)
  local _, along = tide.jvp(loss(none), y0, y0)
  assert(along:item() == select(2, tide.jvp(loss(nil), y0, y0)):item())
end

-- What direct and forward give of a loss, as a share of the largest number of the first.
local function apart(loss_of, o, x)
  local g = {}
  for _, kind in ipairs{"direct", "forward"} do
    o.gradient = kind
    g[kind] = tide.grad(loss_of(o))(x)
  end
  return ((g.forward - g.direct):abs():max() / g.direct:abs():max()):item()
end

local bounces = {0.02, 0.31, 0.77, 1.23, 1.9}

tests["forward goes through events: as direct, on a grid to the order of method and interpolant"] = function()
  local limits = {[0] = 1e-11, 0.05, 2e-4, 5e-7}
  local function loss_of(o) return ball(o, ball_weights, bounces) end
  local function within(name, limit, o)
    for _, terminal in ipairs{false, 2} do
      o.method, o.terminal = name, terminal
      near(apart(loss_of, o, ball_parameters), 0, limit, name)
    end
  end
  local tried = 0
  for _, m in ipairs(tide.ode.methods()) do
    local newton = m.implicit and m.family ~= "rosenbrock" or m.family == "automatic"
    if m.adaptive and not newton and m.family ~= "symplectic" then
      within(m.name, limits[0], {rtol = 1e-5, atol = 1e-5})
      tried = tried + 1
    end
    if not m.varies and m.family ~= "symplectic" then
      within(m.name, limits[math.min(m.order, m.dense_order, 3)], {steps = 200})
      tried = tried + 1
    end
  end
  assert(tried > 50)
end

tests["forward: more events than the state has numbers, or fewer; a state of two parts"] = function()
  for _, n in ipairs{1, 3} do
    near(apart(function(o)
      return function(y0)
        o.events = {}
        for i = 1, n do
          o.events[i] = {g = function(_, y) return y[1] * y[2] - 0.1 * i end,
            apply = i ~= 2 and function(_, y) return y + 0.05 end or nil}
        end
        return (tide.odeint(wave, y0, {0.2, 0.5, 1.4}, o) * weights:slice(1, 1, 3)):sum()
      end
    end, {}, tensor{1, 0.5}), 0, 1e-13)
  end
  local q, p = tensor{0.7}, tensor{0.8}
  local function verlet(o)
    return function(x)
      o.events = {{g = function(_, y) return y.q - 0.8 end, apply = function(t, y)
        return {q = y.q * 0.5, p = -0.9 * y.p + 0.1 * t}
      end}}
      local ys = tide.odeint(function(t, y) return {q = y.p, p = -tide.sin(y.q * x) * tide.cos(t)} end,
        {q = q, p = p}, {0.2, 0.5, 1.25}, o)
      return (ys.q * (ys.q + ys.p)):sum()
    end
  end
  near(apart(verlet, {method = "leapfrog_verlet", steps = 200}, tensor{1}), 0, 2e-4)
end

tests["second derivatives through bounces of steps that adapt"] = function()
  local v, h = tensor{0.3, -0.2, 0.1, 0, 0.4, 0.5, 0}, 1e-4
  for _, o in ipairs{{}, {method = "dopri8"}, {method = "radau5"}, {gradient = "adjoint"},
                     {gradient = "checkpoint"}, {gradient = "interpolated"}} do
    o.rtol, o.atol = 1e-10, 1e-10
    local loss = ball(o, ball_weights, {0.02, 0.31, 0.77, 1.23, 1.9})
    local g, name = tide.grad(loss), o.method or o.gradient or "dopri5"
    local want = (g(ball_parameters + v * h) - g(ball_parameters - v * h)) / (2 * h)
    local _, hv = tide.hvp(loss, ball_parameters, v)
    near((hv - want):abs():max():item() / want:abs():max():item(), 0, 1e-5, name)
    local _, slope = tide.jvp(loss, ball_parameters, v)
    near(slope:item(), (g(ball_parameters) * v):sum():item(), 1e-6, name .. ", jvp")
  end
  -- several at one time, of which one changes nothing; and the closed form of a free ball's first bounce
  local function last(h0)
    local ys = tide.odeint(function(_, y) return tide.stack{y[2], -9.81 + 0 * y[1]} end,
      tide.stack{h0, h0 * 0}, {0, 0.8}, {rtol = 1e-10, atol = 1e-10, events = {
        {g = function(_, y) return y[1] end},
        {g = function(_, y) return y[1] end, direction = -1,
          apply = function(_, y) return tide.stack{y[1], -0.9 * y[2]} end}}})
    return ys:select(1, 2):select(1, 1)
  end
  -- h = 0.9 v (T - t) - g/2 (T - t)^2, v = sqrt(2 g h0), t = sqrt(2 h0 / g)
  local function position(h0)
    local t, speed = math.sqrt(2 * h0 / 9.81), math.sqrt(2 * 9.81 * h0)
    return 0.9 * speed * (0.8 - t) - 9.81 / 2 * (0.8 - t) ^ 2
  end
  local H = tide.grad(tide.grad(last))(tide.tensor(1, f64)):item()
  near(H, (position(1 + 1e-4) - 2 * position(1) + position(1 - 1e-4)) / 1e-8, 1e-6)
end

tests["a Jacobian with more rows than columns has them, through events and by times"] = function()
  local function states(options)
    return function(p)
      options.events = options.events and {{g = function(_, y) return y[1] - p end, terminal = true}}
      return tide.odeint(wave, tensor{1, 0.5}, {0, 1, 2}, options)
    end
  end
  local p = tide.tensor(1.1, f64)
  for _, o in ipairs{{rtol = 1e-8, atol = 1e-8}, {method = "rk4", steps = 9}} do
    o.events = true
    local J, by = tide.jacobian(states(o), p), o.steps and "rows" or "columns" -- rows are those of the grid
    near((J - tide.jacobian(states(o), p, {by = by})):abs():max():item(), 0, 0)
    near(J[3][1], 1, 1e-6) -- the end is where y[1] is p
    near((tide.compile(function(q) return tide.jacobian(states(o), q) end)(p) - J):abs():max():item(), 0, 0)
    local other = tide.jacobian(states(o), p, {by = o.steps and "columns" or "rows"})
    near((J - other):abs():max():item(), 0, o.steps and 1e-3 or 1e-6)
  end
  local function at(t) return tide.odeint(wave, tensor{1, 0.5}, t, {rtol = 1e-10, atol = 1e-10}) end
  local t = tensor{0, 0.7, 2}
  local y, by_times = at(t), tide.jacobian(at, t)
  near((by_times[2]:select(2, 2) - wave(0.7, y[2])):abs():max():item(), 0, 1e-7)
  near(by_times[2]:select(2, 3):abs():max():item(), 0, 0)
end

-- ---- ode.event ----

local function falls(t0, y0, gravity, options)
  return tide.ode.event(function(_, y) return tide.stack{y[2], y[1] * 0 - gravity} end, y0, t0,
    function(_, y) return y[1] end, options)
end

tests["ode.event: the first zero behind t0, in every kind of field"] = function()
  local exact = math.sqrt(2 / 9.81)
  for _, dtype in ipairs{"float32", "float64"} do
    for _, o in ipairs{{}, {max_time = 3}, {eager = true}, {method = "rk4", step_size = 0.1},
      {method = "rk4", steps = 30, max_time = 3}, {direction = -1}} do
      local t, y, stats = falls(0, tide.tensor({1, 0}, {dtype = dtype}), 9.81, o)
      near(t:item(), exact, dtype == "float32" and 1e-6 or 1e-12)
      near(y[2], -math.sqrt(2 * 9.81), 1e-5)
      assert(t:dtype() == "float64" and y:dtype() == dtype and #t:shape() == 0)
      assert(#stats.events == 1 and stats.t_end == t:item() and stats.nfe > 0)
    end
  end
  local t, y = tide.ode.event(function(_, x) return {x[2], -9.81} end, {1, 0}, 0,
    function(_, x) return x[1] end, {plain = true})
  near(t:item(), exact)
  near(y[2], -math.sqrt(2 * 9.81), 1e-12)
  near(falls(0, tensor{1, 0}, 9.81, {max_time = -3}):item(), -exact) -- backwards
  local s, state = tide.ode.event(function(_, x) return {q = x.p, p = -x.q} end,
    {q = tensor{0, 1}, p = tensor{1, 0}}, 0.5, function(_, x) return x.q[1] end, {rtol = 1e-9, atol = 1e-9})
  near(s:item(), 0.5 + math.pi, 1e-7)
  near(state.p[1], -1, 1e-7)
end

tests["ode.event: no zero until max_time, and calls that are wrong"] = function()
  local ok, failure = pcall(falls, 0, tensor{1, 0}, 9.81, {max_time = 0.2})
  assert(not ok and failure.status == "no_event" and failure.t == 0.2 and failure.h > 0 and failure.h <= 0.2)
  fails({"no zero until max_time = 0.2", "raise max_time"}, error, failure)
  ok, failure = pcall(falls, 0, tensor{1, 0}, 9.81, {direction = 1, max_steps = 30})
  assert(not ok and failure.status == "max_steps")
  fails("max_time must be a finite number", falls, 0, tensor{1, 0}, 9.81, {max_time = "x"})
  fails("max_time must be a finite number", falls, 0, tensor{1, 0}, 9.81, {max_time = 0 / 0})
  fails("max_time must be another time than t0", falls, 0, tensor{1, 0}, 9.81, {max_time = 0})
  fails("t0 must be a number or a scalar tensor", falls, "0", tensor{1, 0}, 9.81)
  fails("t0 must be a finite number", falls, 0 / 0, tensor{1, 0}, 9.81)
  fails("g is the event", falls, 0, tensor{1, 0}, 9.81, {events = {}})
  fails("give max_time, or step_size", falls, 0, tensor{1, 0}, 9.81, {method = "rk4", steps = 3})
  fails("on_failure", falls, 0, tensor{1, 0}, 9.81, {on_failure = "return"})
  fails({'unknown option "max_tim"', 'did you mean "max_time"'}, falls, 0, tensor{1, 0}, 9.81, {max_tim = 3})
  fails({'did you mean "direction"'}, falls, 0, tensor{1, 0}, 9.81, {directon = 1})
  fails("direction", falls, 0, tensor{1, 0}, 9.81, {direction = 3})
  fails("g must be a function", tide.ode.event, wave, tensor{1, 0}, 0)
end

tests["ode.event: t and y by y0, parameters and t0"] = function()
  local function loss(options)
    return function(p)
      local t, y = tide.ode.event(function(s, x)
        return {q = x.v, v = -p.g + 0 * x.q * s - x.v * x.v * 0.1}
      end, p.y0, p.t0, function(s, x) return x.q - p.l * s end, options)
      return t * t + y.q * y.v
    end
  end
  local p = {g = tensor(9.81), y0 = {q = tensor(1), v = tensor(0.3)}, t0 = tensor(0.2), l = tensor(0.1)}
  for _, o in ipairs{{rtol = 1e-11, atol = 1e-11}, {method = "rk4", step_size = 0.07},
    {method = "sdirk2", steps = 30, max_time = 3}, {rtol = 1e-11, atol = 1e-11, gradient = "checkpoint"},
    {rtol = 1e-11, atol = 1e-11, gradient = "adjoint"}, {rtol = 1e-11, atol = 1e-11,
      gradient = "interpolated"}} do
    local ok, worst = tide.gradcheck(loss(o), p)
    assert(ok, worst)
  end
  -- exact: t = sqrt(2 h / g)
  for _, dtype in ipairs{"float32", "float64"} do
    local h = tide.tensor(1, {dtype = dtype})
    local t, g = tide.compile(tide.value_and_grad(function(x)
      return (falls(0, tide.stack{x, 0 * x}, 9.81))
    end))(h)
    near(g:item(), t:item() / 2, dtype == "float32" and 1e-6 or 1e-12)
    assert(g:dtype() == dtype)
  end
  local t0 = tide.grad(function(s) return (falls(s, tensor{1, 0}, 9.81)) end)(tensor(3))
  near(t0:item(), 1)
end

tests["ode.event forwards: t and y by y0 and parameters"] = function()
  for dtype, limit in pairs{float32 = 1e-5, float64 = 1e-11} do
    for _, o in ipairs{{}, {max_time = 3}, {method = "dop853", rtol = 1e-5, per_sample = true}} do
      local function value(kind)
        return function(p)
          o.gradient = kind
          local t, y = tide.ode.event(function(s, x) return x * tide.sin(s) + p.g end, p.y0, 0.1,
            function(_, x) return o.per_sample and x:sum(2) - 3 or x:sum() - 9 end, o)
          return (t * t):sum() + (y * y:sin()):sum()
        end
      end
      local p = {g = tide.tensor({0.7, 0.9}, {dtype = dtype}),
        y0 = tide.tensor({{1, 0.5}, {0.3, 0.1}, {0.4, 1.1}}, {dtype = dtype})}
      local forward, direct = tide.grad(value "forward")(p), tide.grad(value "direct")(p)
      for key, g in pairs(direct) do
        assert(g:abs():min():item() > 0)
        near((g - forward[key]):abs():max():item() / g:abs():max():item(), 0, limit)
      end
    end
  end
  local function by_start(s) return (falls(s, tensor{1, 0}, 9.81, {gradient = "forward"})) end
  fails('"forward" has no derivative by times', tide.grad(by_start), tensor(3))
end

-- ---- memory ----

tests["allocations that fail leave nothing behind"] = function()
  local half = tensor(0.5)
  for _, kind in ipairs{"direct", "forward"} do
    check.survives_lack_of_memory(function()
      local g = tide.grad(function(y0)
        local ys, _, q = tide.odeint(function(_, y) return -y end, y0, {0, 1, 2}, {method = "rk4", steps = 7,
          quadrature = function(_, y) return y end, gradient = kind, events = {{terminal = 2,
            g = function(_, y) return y[1] - half end, apply = function(_, y) return y * 2 end}}})
        return ys:sum() + q:sum()
      end)(tensor{1, 2})
      return g:sum():item()
    end)
  end
  check.survives_lack_of_memory(function()
    local p = tensor{0.2, 0.52, 0.9, 1.25, 1, 0.5, 1.1}
    return tide.grad(function(q)
      return tide.grad(loss_of_all{method = "rk4", steps = 5})(q):square():sum()
    end)(p):sum():item()
  end)
  check.survives_lack_of_memory(function()
    local t = tide.ode.event(function(_, y) return {-y[1]} end, {1}, 0, function(_, y) return y[1] - 0.5 end,
      {plain = true, rtol = 1e-4})
    return t:item()
  end)
end

tests["the time of an event without a slope has no derivative, that of one at a steep g does"] = function()
  local function time(g)
    return tide.grad(function(p)
      return (tide.ode.event(function(_, y) return y * 0 + 1 end, tensor{0}, 0, function(t, y)
        return g(t, y[1], p)
      end, {max_time = 4}))
    end)(tensor(0.5)):item()
  end
  local function touches(t, _, p) return (t - p) ^ 3 end
  for _, g in ipairs{touches, function(_, y, p) return tide.sign(y - p) end} do
    fails({"g of event 1 touches 0 at t = 0.5 without a slope", "has no derivative"}, time, g)
  end
  near(time(function(t, _, p) return 1e12 * (t - p) end), 1)
end

tests["where steps adapt, derivatives by times are those of the solution, to the tolerance"] = function()
  local a, w, level, tol = 1.2, 1.7, 0.3, 1e-10 -- y = a cos w t
  local function field(p) return function(_, y) return tide.stack{y[2], -p[2] * p[2] * y[1]} end end
  local angle = math.acos(level / a)
  local by_a, by_w = level / (a * a * w * math.sin(angle)), -angle / (w * w)
  for _, method in ipairs{"dopri5", "tsit5", "dopri8", "radau5", "rodas4", "kvaerno5", "adams"} do
    local o = {method = method, rtol = tol, atol = tol}
    local first = tide.grad(function(p)
      local start = tide.stack{p[1], 0 * p[1]}
      return (tide.ode.event(field(p), start, 0, function(_, y) return y[1] - level end, o))
    end)(tensor{a, w})
    near(first[1], by_a, 10 * tol, method)
    near(first[2], by_w, 10 * tol, method)
    local times = tensor{0, 0.7, 1.9, 3}
    local slopes = tide.grad(function(t)
      return tide.odeint(field{a, w}, tensor{a, 0}, t, o):select(2, 1):sum()
    end)(times)
    for i = 2, 3 do near(slopes[i], -a * w * math.sin(w * times[i]), 10 * tol, method .. " " .. i) end
  end
end

return tests
