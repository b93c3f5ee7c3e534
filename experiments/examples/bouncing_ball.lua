--- Events: a bouncing ball, the derivative of an event's time, and a fit to times of impact alone (after
-- Chen, Amos, Nickel, Learning Neural Event Functions, 2021).

local tide = require "tide"
local experiment, plot = tide.experiment, tide.plot

local o = experiment.parse("A bouncing ball", {
  {"small", false, "for a test (there is nothing to shorten)"},
  {"out", "runs/examples", "folder of the picture"},
}, arg)
tide.set_default_dtype "float64"

-- The state is {height, speed}. An event is a zero of a function of time and state.
local function falling(gravity) return function(_, y) return tide.stack{y[2], -gravity} end end
local function height(_, y) return y[1] end
local g, e, start = 9.81, 0.8, tide.tensor{2, 0}

-- 1. Simulate: apply gives the state with which the solve goes on behind an event.
local function bounce(_, y) return tide.stack{0, -e * y[2]} end
local times = tide.linspace(0, 4.2, 400)
local ys, stats = tide.odeint(falling(g), start, times, {rtol = 1e-8, atol = 1e-8,
  events = {{name = "floor", g = height, direction = -1, apply = bounce}}})
local first, worst, exact = math.sqrt(2 * 2 / g), 0, 0
for i, event in ipairs(stats.events) do
  exact = exact + (i == 1 and first or 2 * first * e ^ (i - 1))
  worst = math.max(worst, math.abs(event.t - exact))
end
print(("%d impacts, %d evaluations, largest error of their times %.1e"):format(#stats.events, stats.nfe,
  worst))

-- 2. The time of an event is a tensor that takes part in derivatives: t = sqrt(2 h / g).
local function fall(y0) return (tide.ode.event(falling(g), y0, 0, height)) end
print(("dt/dh = %.12f, by the formula %.12f"):format(tide.grad(fall)(start)[1], 1 / math.sqrt(2 * g * 2)))

-- 3. Learn gravity and elasticity from six times of impact: a flight begins when and where the last ended.
local function impacts(p)
  local t, y, list = 0, start, {}
  for i = 1, 6 do
    t, y = tide.ode.event(falling(p.g), y, t, height, {direction = -1})
    list[i], y = t, tide.stack{0, -p.e * y[2]}
  end
  return tide.stack(list)
end
local measured = impacts{g = g, e = e} + 1e-3 * tide.randn({6}, {seed = 1})
local p = {g = tide.tensor(8), e = tide.tensor(0.6)}
local before = impacts(p)
local misfit = tide.value_and_grad(function(q) return ((impacts(q) - measured) / 1e-3):square():sum() end)
local _, report = tide.optim.lbfgs(p):step(misfit)
print(("after %d iterations: gravity %.3f (%.3f), elasticity %.4f (%.4f)"):format(report.iterations,
  p.g:item(), g, p.e:item(), e))

local fig = plot.line{x = times, y = ys:column(1), name = "height", xlabel = "time in s",
  ylabel = "height in m", width = 900, ratio = 0.4}
for _, row in ipairs{{"impacts, measured", measured, "square"}, {"at the first guess", before, "triangle"},
  {"after the fit", impacts(p), "plus"}} do
  fig:add("scatter", {x = row[2], y = tide.zeros{6}, name = row[1], marker = row[3], size = 1.4})
end
print("picture: " .. fig:save(o.out .. "/bouncing_ball.png"))
