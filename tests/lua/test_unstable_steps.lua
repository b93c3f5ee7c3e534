--- Explicit steps at the edge of stability: y is right, since the controller answers to each error, but the
-- derivative of steps whose sizes are constants grows without bound. It is never returned without a word.

local check = require "check"
local tide = require "tide"

local tests = {}
local fails, f64 = check.fails, {dtype = "float64"}

local function near(x, y, tolerance)
  assert(math.abs(x - y) <= tolerance, ("%.17g, and not %.17g within %g"):format(x, y, tolerance))
end

local y0 = tide.tensor({2, 0}, f64)
local times = {}
for i = 0, 10 do times[i + 1] = i end

local function oscillator(mu)
  return function(_, z)
    local x, v = z[1], z[2]
    return tide.stack{v, mu * (1 - x * x) * v - x}
  end
end

local function loss(mu, o)
  local ys = tide.odeint(oscillator(mu), y0, times, o)
  local sum = 0
  for i = 1, #ys do sum = sum + ys[i]:square():sum() end
  return sum
end

local function options(method, tol, gradient)
  return {method = method, rtol = tol, atol = tol, max_steps = 100000, gradient = gradient}
end

-- mu, method, tolerance: derivatives of the steps are 9e1, 6e4, 5e13, 7e38 for 0.12 to 0.015
local cases = {{36, "tsit5", 1e-8}, {36, "dopri5", 1e-8}, {85, "tsit5", 1e-10}, {100, "dopri5", 1e-10}}

local function number(x) return tide.tensor(x, f64) end
local function gradient(mu, o) return tide.grad(function(m) return loss(m, o) end)(number(mu)):item() end

function tests.direct_goes_on_as_interpolated()
  for _, case in ipairs(cases) do
    local mu, method, tol = table.unpack(case)
    local reference = gradient(mu, options("radau5", 1e-11))
    local stats, g = tide.ode.counted(gradient, mu, options(method, tol))
    near(g, reference, 20 * tol * math.max(1, math.abs(reference)))
    assert(stats.made_again and g == gradient(mu, options(method, tol, "interpolated")))
  end
end

function tests.steps_that_are_stable_keep_their_derivative()
  for _, case in ipairs{{36, "tsit5", 1e-10}, {60, "dopri5", 1e-6}, {100, "dop853", 1e-8}} do
    local mu, method, tol = table.unpack(case)
    assert(not tide.ode.counted(gradient, mu, options(method, tol)).made_again)
  end
end

function tests.stiff_problems_short_of_that_are_as_far_off_as_is_said()
  for _, mu in ipairs{36, 60, 85, 100} do
    local reference = gradient(mu, options("radau5", 1e-11))
    for _, method in ipairs{"bosh3", "rkf45", "tsit5"} do
      near(gradient(mu, options(method, 1e-4)) / reference, 1, 0.06)
    end
    near(gradient(mu, options("tsit5", 1e-4, "interpolated")) / reference, 1, 8e-4)
  end
end

-- Those of tests/bench/samples.lua that are unstable with its controller: 7 % of the largest of all off.
function tests.the_oscillators_of_the_bench()
  for _, mu in ipairs{13.1113, 15.0131, 17.6628, 20.2247, 21.937} do
    local o = options("tsit5", 1e-6)
    o.controller = "I"
    local stats, g = tide.ode.counted(gradient, mu, o)
    assert(stats.made_again)
    near(g, gradient(mu, options("radau5", 1e-10)), 20e-6)
  end
end

-- What is integrated beside y is no derivative, however its sign changes.
function tests.integrals_are_not_looked_at()
  local o = options("dopri5", 1e-6)
  o.quadrature = function(t) return -50 * tide.cos(40 * t) end
  assert(tide.odeint(function(_, y) return -y end, y0, {0, 20}, o))
end

-- A flow that is truly unstable: its cotangents grow a millionfold.
function tests.growth_of_the_flow_is_no_failure()
  local function grown(k)
    local ys = tide.odeint(function(_, y) return k * y end, y0, {0, 14}, options("dopri5", 1e-8))
    return ys[2]:sum()
  end
  local stats = tide.ode.counted(function()
    near(tide.grad(grown)(number(1)):item() / (14 * 2 * math.exp(14)), 1, 1e-6)
  end)
  assert(not stats.made_again)
end

function tests.others_are_errors_with_a_remedy()
  local mu = number(85)
  local function solve(kind)
    return function(m) return loss(m, options("tsit5", 1e-10, kind)) end
  end
  local tries = {
    function() return tide.grad(solve "checkpoint")(mu) end,
    function() return tide.grad(solve "forward")(mu) end,
    function() return tide.jvp(solve "direct", mu, number(1)) end,
    function() return tide.hessian(solve "direct", mu) end,
  }
  for _, try in ipairs(tries) do
    local said = fails("the derivative of the steps grows from step to step although f pulls it back", try)
    assert(said:find('take gradient = "interpolated", or method = "auto"', 1, true), said)
  end
end

-- Samples with steps of their own go back abreast; who fails there goes back alone.
function tests.samples_abreast()
  local list = {36, 50, 60, 85, 90, 100, 20, 5}
  local n = #list
  local mu = tide.tensor(list, f64):reshape{n, 1}
  local start = tide.cat({tide.full({n, 1}, 2, f64), tide.zeros({n, 1}, f64)}, 2)
  local o = options("tsit5", 1e-10)
  o.per_sample = true
  local function batch(m, kind)
    o.gradient = kind
    local ys = tide.odeint(function(_, z)
      local x, v = z:slice(2, 1, 1), z:slice(2, 2, 2)
      return tide.cat({v, m * (1 - x * x) * v - x}, 2)
    end, start, times, o)
    local sum = 0
    for i = 1, #ys do sum = sum + ys[i]:square():sum() end
    return sum
  end
  local g = tide.grad(function(m) return batch(m, "direct") end)(mu)
  for i = 1, n do
    local reference = gradient(list[i], options("radau5", 1e-11))
    near(g[i][1], reference, 20e-10 * math.max(1, math.abs(reference)))
  end
  fails("the derivative of the steps grows", tide.grad(function(m) return batch(m, "forward") end), mu)
end

return tests
