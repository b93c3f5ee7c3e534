--- A PDE by the method of lines, u_t = (D(x) u_x)_x, stiff as such are, and its unknown coefficient: the
-- function D from noisy snapshots of u, with a band of what they leave open.
local tide = require "tide"
local experiment, plot = tide.experiment, tide.plot

local o = experiment.parse("A diffusivity from snapshots", {{"small", false, "for a test: fewer points"},
  {"out", "runs/examples", "folder of the picture"}}, arg)
tide.set_default_dtype "float64"

-- u lives in n cells of width h, D on the faces between them; nothing leaves at the ends.
local n = o.small and 40 or 100
local h, wall = 1 / n, tide.zeros{1}
local x, faces = tide.linspace(h / 2, 1 - h / 2, n), tide.linspace(h, 1 - h, n - 1)
local function heat(D)
  return function(_, u)
    local flux = D * (u:slice(1, 2, n) - u:slice(1, 1, n - 1)) / h
    return (tide.cat({flux, wall}, 1) - tide.cat({wall, flux}, 1)) / h
  end
end
local start = tide.exp(-50 * (x - 0.3):square()) + 0.5 * tide.exp(-80 * (x - 0.75):square())
local times = tide.linspace(0, 2, 11)
local function solve(D, method)
  return tide.odeint(heat(D), start, times, {method = method, rtol = 1e-6, atol = 1e-8})
end

-- What is measured: every snapshot at every cell, with noise.
local truth, noise, smooth = 0.02 + 0.02 * tide.sin(2 * math.pi * faces):square(), 0.01, 0.1
local clean, stats = solve(truth, "bdf")
print(("bdf takes %d evaluations of f, dopri5 %d"):format(stats.nfe, select(2, solve(truth, "dopri5")).nfe))
local seen = clean + noise * tide.randn({#times, n}, {seed = 1})

-- Least squares for log D, whose neighbours differ by `smooth` or so: both are residuals.
local function residuals(p)
  local logs = p.logs
  local misses = (solve(logs:exp(), "kvaerno5") - seen) / noise
  return tide.cat({misses:flatten(), (logs:slice(1, 2, n - 1) - logs:slice(1, 1, n - 2)) / smooth}, 1)
end
local p = {logs = tide.full({n - 1}, math.log(0.05))}
local before, report = tide.optim.levenberg_marquardt(p):step(residuals)
print(("half the sum of %d squares %.0f -> %.0f in %d iterations"):format(seen:numel() + n - 2, before,
  report.loss, report.iterations))
local D = p.logs:exp()
print(("D is off by %.1f %% in the mean"):format(100 * ((D - truth):abs() / truth):mean():item()))

-- Two standard errors: the inverse of J^T J, J the derivatives of all residuals.
local J = tide.jacobian(residuals, p).logs
local error = tide.linalg.inv(J:transpose():matmul(J)):diag():sqrt()
print(("the truth is within two standard errors at %.0f %% of the places"):format(
  100 * ((p.logs - truth:log()):abs() / error):lt(2):to("float64"):mean():item()))

local snapshots = plot.figure{xlabel = "x", ylabel = "u", title = "measured, and by the D that was found"}
for i, k in ipairs{1, 3, #times} do
  snapshots:add("scatter", {x = x, y = seen[k], name = ("t = %g"):format(times[k]), style = i, size = 0.35})
  snapshots:add("line", {x = x, y = solve(D, "bdf")[k], style = i})
end
local found = plot.line{x = faces, y = truth, name = "true", xlabel = "x", ylabel = "D"}
found:add("band", {x = faces, y = D, low = (p.logs - 2 * error):exp(), high = (p.logs + 2 * error):exp(),
  name = "found, with two standard errors"})
print("picture: " .. plot.panels{snapshots, found, columns = 2}:save(o.out .. "/diffusivity.png"))
