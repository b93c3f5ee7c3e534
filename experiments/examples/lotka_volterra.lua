--- Parameters of the Lotka-Volterra equations from noisy counts, with standard errors from the Hessian.

local tide = require "tide"
local experiment, plot = tide.experiment, tide.plot

local o = experiment.parse("Estimate the parameters of the Lotka-Volterra equations", {
  {"small", false, "for a test (there is nothing to shorten)"},
  {"out", "runs/examples", "folder of the picture"},
}, arg)
tide.set_default_dtype "float64"

-- dx/dt = a x - b x y, dy/dt = d x y - c y. All are positive, so their logarithms are what is estimated.
local names, truth = {"a", "b", "c", "d", "x0", "y0"}, tide.tensor{1.1, 0.4, 0.4, 0.1, 10, 5}
local function solve(p, times) -- the logarithms of both species
  local q = p:exp()
  local a, b, c, d = q[1], q[2], q[3], q[4]
  local function f(_, u) return tide.stack{(a - b * u[2]) * u[1], (d * u[1] - c) * u[2]} end
  return (tide.odeint(f, q:slice(1, 5, 6), times, {rtol = 1e-8, atol = 1e-8}):log())
end

-- 31 counts of both species with 5 % noise, so that the logarithms have normal errors.
local sigma, times = 0.05, tide.linspace(0, 30, 31)
local data = solve(truth:log(), times) + sigma * tide.randn({31, 2}, {seed = 1})

-- Half the sum of squares of these is minus the logarithm of the likelihood, but for a constant.
local function residuals(m) return (solve(m.p, times) - data) / sigma end
local model = {p = tide.tensor{1, 0.5, 0.4, 0.15, 9, 4}:log()}
local before, report = tide.optim.levenberg_marquardt(model):step(residuals)
print(("half the sum of squares: %.1f -> %.2f after %d iterations"):format(before, report.loss,
  report.iterations))

-- There the inverse of the Hessian is the covariance of the estimate, of the logarithms.
local function loss(p) return 0.5 * residuals{p = p}:square():sum() end
local covariance = tide.linalg.inv(tide.hessian(loss, model.p))
local rows, width = {}, 1.96 * covariance:diag():sqrt()
local estimate, low, high = model.p:exp(), (model.p - width):exp(), (model.p + width):exp()
for i, name in ipairs(names) do
  rows[i] = {name, ("%g"):format(truth[i]), ("%.4f"):format(estimate[i]),
    ("%.4f .. %.4f"):format(low[i], high[i]), low[i] <= truth[i] and truth[i] <= high[i] and "yes" or "no"}
end
experiment.print_table({"parameter", "truth", "estimate", "95 % interval", "holds the truth?"}, rows)

-- What the data leave open of the curves: the covariance through the Jacobian of the solve, to first order.
local fine = tide.linspace(0, 40, 401)
local curve, J = solve(model.p, fine), tide.jacobian(function(p) return solve(p, fine) end, model.p)
local deviation = tide.einsum("tsi,ij,tsj->ts", J, covariance, J):sqrt()
local fig = plot.figure{width = 900, ratio = 0.4, xlabel = "time", ylabel = "count", xrange = {-0.5, 40},
  title = "fit to t = 30 and forecast, with 95 % bands"}
for s, name in ipairs{"prey", "predators"} do
  local mid, wide = curve:select(2, s), 1.96 * deviation:select(2, s)
  fig:add("band", {x = fine, y = mid:exp(), low = (mid - wide):exp(), high = (mid + wide):exp(), style = s,
    name = name})
  fig:add("scatter", {x = times, y = data:select(2, s):exp(), style = s, name = name .. ", counted"})
end
print("picture: " .. fig:save(o.out .. "/lotka_volterra.png"))
