--- Every method with every kind of gradient, on small random fields: it agrees with central differences or
-- with the true gradient, or it is refused with the names of those that work. What `gradients` of ode.methods
-- says is what there is.

local cases = require "gradient_cases"
local check = require "check"
local tide = require "tide"

local tests = {}
local kinds
do -- all names, from what the option says about one that there is not
  local function f(_, y) return y end
  local _, message = pcall(tide.odeint, f, tide.ones{1}, {0, 1}, {gradient = "none"})
  kinds = {}
  for name in tostring(message):match("must be one of (.-), got"):gmatch('"(%w+)"') do
    kinds[#kinds + 1] = name
  end
end

local with = check.with
local function has(list, name)
  for _, v in ipairs(list) do if v == name then return true end end
  return false
end

-- ---- losses ----

-- Parameters: a tensor of 8 numbers, of which the first two are y0 or {q, p}.
local function start(seed, dtype)
  return tide.randn({8}, {seed = seed, dtype = "float64"}):tanh():to(dtype or "float64")
end
local function matrix(p) return p:slice(1, 3, 6):reshape{2, 2} end
local function field(p)
  return function(t, y) return (y:matmul(matrix(p)) + p[7] * t):tanh() - y * (p[8] * 0.3) end
end

local function times(p)
  return tide.cat({0.1 * p:slice(1, 1, 1), 0.4 + 0.1 * p:slice(1, 2, 2), 1.1 + 0.1 * p:slice(1, 3, 3)}, 1)
end

local features = {}

function features.plain(o)
  return function(p) return cases.loss_of(tide.odeint(field(p), p:slice(1, 1, 2), {0, 0.37, 1}, o)) end
end

-- By every time, of a solve that is the same otherwise.
function features.times(o)
  return function(p)
    local t = times(p)
    return cases.loss_of(tide.odeint(field(p), p:slice(1, 1, 2), t, o))
  end
end

-- y[1] crosses 2 + 0.3 p[7], once, and is thrown back.
function features.events(o)
  return function(p)
    local g = function(t, y) return y[1] - 0.8 - 0.1 * p[7] + 0.05 * t end
    local back = function(t, y) return tide.stack{y[1] - 0.4 + 0.1 * p[8], 0.7 * y[2] + 0.1 * t} end
    local ys = tide.odeint(function(t, y)
      return tide.stack{1.5 + 0.2 * (y[2] * p[3]):tanh(), (y[1] * p[4] + p[5] * t):tanh()}
    end, 0.1 * p:slice(1, 1, 2), {0, 0.37, 1}, with(o, {events = {{g = g, apply = back}}}))
    return cases.loss_of(ys)
  end
end

function features.quadrature(o)
  return function(p)
    local ys, _, q = tide.odeint(field(p), p:slice(1, 1, 2), {0, 0.37, 1},
      with(o, {quadrature = function(t, y) return (y * y * p[8]):sum() + t * y[1] end}))
    return cases.loss_of(ys) + (q * q):sum() + q[2]
  end
end

function features.per_sample(o)
  return function(p)
    local y0 = tide.stack({p:slice(1, 1, 2), p:slice(1, 2, 3), 2 * p:slice(1, 1, 2)}, 1)
    local ys = tide.odeint(field(p), y0, {0, 0.37, 1}, with(o, {per_sample = true}))
    return cases.loss_of(ys)
  end
end

-- H = p^2 / 2 + cos q: what symplectic methods are for.
local symplectic = {}
local function pendulum(p)
  return function(t, y) return {q = y.p * (1 + 0.1 * p[3]), p = (y.q + p[7] * t):sin() * p[8]} end
end
local function of_pendulum(ys) return (ys.q * ys.q):sum() + ys.p:sin():sum() end
local function hamiltonian(p) return {q = p:slice(1, 1, 1), p = p:slice(1, 2, 2)} end
function symplectic.plain(o)
  return function(p) return of_pendulum(tide.odeint(pendulum(p), hamiltonian(p), {0, 0.37, 1}, o)) end
end
function symplectic.times(o)
  return function(p)
    local t = times(p)
    return of_pendulum(tide.odeint(pendulum(p), hamiltonian(p), t, o))
  end
end
function symplectic.events(o)
  return function(p)
    local ys = tide.odeint(function(t, y) return {q = y.p * 1, p = 0.3 * (y.q + p[7] * t):sin()} end,
      {q = 0.1 * p:slice(1, 1, 1), p = 1.5 + 0.1 * p:slice(1, 2, 2)}, {0, 0.37, 1}, with(o, {events = {{
        g = function(t, y) return (y.q - 0.8 + 0.05 * t * p[3]):sum() end,
        apply = function(_, y) return {q = y.q - 0.4, p = 0.7 * y.p + 0.1 * p[4]} end}}}))
    return of_pendulum(ys)
  end
end
-- ---- what is right ----

-- Differences of order 4, along three directions.
local function differences(loss, p, g, h)
  local worst = 0
  for seed = 1, 3 do
    local v = tide.randn({8}, {seed = 100 + seed, dtype = "float64"})
    local function at(d) return loss(p + d * v):item() end
    local numeric = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    worst = math.max(worst, math.abs((g * v):sum():item() - numeric) / math.max(1, math.abs(numeric)))
  end
  return worst
end
local function off(g, want)
  return ((g:to "float64" - want):abs():max() / want:abs():max():clamp(1, 1e300)):item()
end

local truth = {}
local function true_gradient(list, name, p)
  local known = list == symplectic and "s" .. name or name
  truth[known] = truth[known] or tide.grad(list[name]{method = "dopri8", rtol = 1e-12, atol = 1e-12})(p)
  return truth[known]
end

-- ---- the table ----

local P = start(5)
local list_of = function(m) return m.family == "symplectic" and symplectic or features end
local function has_grid(m) return not m.varies end
local function adapts(m) return m.adaptive or m.varying_order end

tests["direct on a grid is what differences say, checkpoint has its bits"] = function()
  for _, m in ipairs(tide.ode.methods()) do
    for name, feature in pairs(has_grid(m) and list_of(m) or {}) do
      local o = {method = m.name, steps = 11}
      local loss = feature(o)
      local ok, g = pcall(tide.grad(loss), P)
      local what = ("%s, %s"):format(m.name, name)
      assert(ok, ("%s: %s"):format(what, g))
      local e = differences(loss, P, g, 1e-3)
      local exact = not (m.family == "multistep" and name == "events") -- true to the order of the method
      assert(e < (exact and 1e-6 or 3e-2), ("%s: off by %.3g"):format(what, e))
      cases.same_bits(tide.grad(feature(with(o, {gradient = "checkpoint", checkpoints = 2})))(P), g, what)
    end
  end
end

tests["through events a multistep method on a grid is true to its order"] = function()
  for _, name in ipairs{"adams_bashforth", "adams_moulton", "abm", "bdf", "leapfrog"} do
    local last
    for _, steps in ipairs{40, 80, 160} do
      local loss = features.events{method = name, steps = steps}
      local e = differences(loss, P, tide.grad(loss)(P), 1e-4)
      assert(not last or e < last / 2.5 or e < 1e-6, ("%s: %.3g after %.3g"):format(name, e, last or 0))
      last = e
    end
  end
end

tests["direct equals the derivative through an unrolled loop, to rounding"] = function()
  for _, m in ipairs(tide.ode.methods()) do
    if m.family == "explicit" then
      local function unrolled(p)
        local y, f, n = p:slice(1, 1, 2), field(p), 7
        for step = 0, n - 1 do
          local k = {}
          for i = 1, m.stages do
            local input = y
            for j = 1, i - 1 do if m.A[i][j] ~= 0 then input = input + k[j] * (m.A[i][j] / n) end end
            k[i] = f((step + m.c[i]) / n, input)
          end
          for i = 1, m.stages do if m.b[i] ~= 0 then y = y + k[i] * (m.b[i] / n) end end
        end
        return cases.loss_of(y)
      end
      local g = tide.grad(function(p)
        return cases.loss_of(tide.odeint(field(p), p:slice(1, 1, 2), {0, 1}, {method = m.name, steps = 7})[2])
      end)(P)
      assert(off(g, tide.grad(unrolled)(P)) < 1e-13, m.name)
    end
  end
end

-- A tolerance that steps of the method can meet in a moment.
local function tolerance(m)
  local order = m.varying_order and 4 or m.error_order
  return order < 3 and 1e-5 or order < 5 and 1e-7 or 1e-9
end

tests["steps that adapt: every kind is near the true gradient"] = function()
  for _, m in ipairs(tide.ode.methods()) do
    for name, feature in pairs(adapts(m) and list_of(m) or {}) do
      local tol, direct = tolerance(m), nil
      local o = {method = m.name, rtol = tol, atol = tol}
      for _, kind in ipairs(kinds) do
        local what = ("%s, %s, %s"):format(m.name, name, kind)
        local ok, g = pcall(tide.grad(feature(with(o, {gradient = kind}))), P)
        if ok then
          assert(has(m.gradients, kind), what .. ": it is not in the list")
          local e = off(g, true_gradient(list_of(m), name, P))
          direct = kind == "direct" and e or direct
          assert(e < math.max(20 * tol, 4 * direct) and e < 1e3 * tol, ("%s: off by %.3g"):format(what, e))
        else
          local refused = tostring(g):find('gradient = "' .. kind .. '"', 1, true)
            and tostring(g):find('"direct"', 1, true)
          assert(refused, ("%s: %s"):format(what, g))
        end
      end
    end
  end
end

tests["fixed steps: continuous adjoints go to the true gradient"] = function()
  for _, m in ipairs(tide.ode.methods()) do
    for _, kind in ipairs{"adjoint", "interpolated"} do
      if has_grid(m) and has(m.gradients, kind) then
        local want, e = true_gradient(features, "plain", P), {}
        for i, steps in ipairs{20, 80} do
          e[i] = off(tide.grad(features.plain{method = m.name, steps = steps, gradient = kind})(P), want)
        end
        local what = ("%s, %s: %.3g and %.3g"):format(m.name, kind, e[1], e[2])
        assert(e[2] < 0.7 * e[1] or e[2] < 1e-7, what)
        assert(e[2] < 0.1, what)
      end
    end
  end
end

tests["kinds that are not there are refused with the names of those that are"] = function()
  for _, m in ipairs(tide.ode.methods()) do
    for _, kind in ipairs(kinds) do
      local o = {method = m.name, gradient = kind}
      if has_grid(m) then o.steps = 5 end
      local ok, message = pcall(tide.grad(list_of(m).plain(o)), P)
      assert(ok == has(m.gradients, kind), ("%s, %s: %s"):format(m.name, kind, message))
      if not ok then
        for _, name in ipairs(m.gradients) do
          assert(tostring(message):find('"' .. name .. '"', 1, true), ("%s: %s"):format(m.name, message))
        end
      end
    end
  end
end

tests["float32 is near float64"] = function()
  for _, m in ipairs(tide.ode.methods()) do
    local o = has_grid(m) and {method = m.name, steps = 9} or {method = m.name, rtol = 1e-4, atol = 1e-4}
    local loss = list_of(m).plain(o)
    local e = off(tide.grad(loss)(start(5, "float32")), tide.grad(loss)(P))
    assert(e < (has_grid(m) and 2e-4 or 2e-3), ("%s: %.3g"):format(m.name, e))
  end
end

return tests
