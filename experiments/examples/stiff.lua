--- A stiff problem: Robertson's chemical reaction, eleven decades of time, and what methods pay for it.
--
-- Source: H. H. Robertson (1966); Hairer and Wanner, Solving Ordinary Differential Equations II, p. 3.

local tide = require "tide"
local experiment, plot = tide.experiment, tide.plot

local o = experiment.parse("Robertson's problem by implicit methods", {
  {"small", false, "a few seconds' worth, for a test"}, {"out", "runs/examples", "folder of the picture"},
}, arg)
tide.set_default_dtype "float64"

local function f(_, y)
  local slow, fast, faster = 0.04 * y[1], 1e4 * y[2] * y[3], 3e7 * y[2] * y[2]
  return tide.stack{fast - slow, slow - fast - faster, faster}
end
local start, times = tide.tensor{1, 0, 0}, {0}
for k = -24, 44 do times[#times + 1] = 10 ^ (k / 4) end

-- An explicit method gives up, and says why. tide.attempt returns failures of solves as values.
local _, failure = tide.attempt(tide.odeint, f, start, times, {rtol = 1e-4, atol = 1e-9,
  max_nfe = 2e5})
print(("dopri5: %s at t = %.3g\n  %s\n"):format(failure.status, failure.t, failure.remedy))

-- The reference: three more digits than anybody below is asked for.
local exact = tide.odeint(f, start, times, {method = "radau5", rtol = 1e-11, atol = 1e-16})
local rows, curves = {}, {}
for _, method in ipairs{"trbdf2", "kvaerno5", "radau5", "rodas4", "bdf", "auto"} do
  local nfe, errors = {}, {}
  for k = 3, o.small and 4 or 8 do
    local began = os.clock()
    local ys, stats = tide.odeint(f, start, times, {method = method, rtol = 10 ^ -k, atol = 10 ^ (-k - 5)})
    local error = ((ys - exact):abs():max(1) / exact:max(1)):max():item()
    nfe[#nfe + 1], errors[#errors + 1] = stats.nfe, error
    if k == 4 then
      rows[#rows + 1] = {method, stats.accepted, stats.rejected, stats.nfe, ("%.1e"):format(error),
        ("%.1f"):format((os.clock() - began) * 1e3)}
    end
  end
  curves[#curves + 1] = {x = errors, y = nfe, name = method, marker = "circle"}
end
print("rtol = 1e-4, atol = 1e-9, to t = 1e11:")
experiment.print_table({"method", "steps", "rejected", "evaluations", "largest relative error", "ms"}, rows)

local path = plot.figure{xlog = true, xlabel = "time in s", ylabel = "share", title = "Robertson's reaction",
  xrange = {1e-6, 1e11}}
local later = exact:slice(1, 2) -- the logarithm of 0 is no place
for k, name in ipairs{"y₁", "10⁴ y₂", "y₃"} do
  path:add("line", {x = {table.unpack(times, 2)}, y = later:select(2, k) * (k == 2 and 1e4 or 1),
    name = name})
end
local work = plot.line{xlog = true, ylog = true, xlabel = "largest relative error",
  ylabel = "evaluations of f", title = "work and precision", table.unpack(curves)}
print("picture: " .. plot.panels{path, work, columns = 2, width = 1000}:save(o.out .. "/stiff.png"))
