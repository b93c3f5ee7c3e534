--- Automatic selection of methods for stiff and nonstiff problems (Petzold 1983).

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local theory = tide.theory

local function van_der_pol(mu)
  return function(_, y) return tide.stack{y[2], mu * ((1 - y[1] * y[1]) * y[2]) - y[1]} end
end

-- The path at equal times, and the eigenvalues of df/dy there.
local function look(mu, t_end, rtol)
  local f, float64 = van_der_pol(mu), {dtype = "float64"}
  local times, n = {}, 400
  for i = 0, n do times[i + 1] = t_end * i / n end
  local y0 = tide.tensor({2, 0}, float64)
  local ys = tide.odeint(f, y0, times, {method = "dopri5", rtol = rtol, atol = rtol, max_steps = 1000000})
  local spectrum = theory.spectrum{f = f, t = times, y = ys, h = 1}
  return times, ys, spectrum
end

-- The step that accuracy allows: Hairer's starting step, which looks at f and its change, not at stability.
local function accurate_step(f, t, y, rtol)
  return tide.ode.initial_step(f, t, y, 4, rtol, rtol)
end

local function counts(report, mu, t_end, rtol)
  local f, y0 = van_der_pol(mu), tide.tensor({2, 0}, {dtype = "float64"})
  local cells, known = {}, {}
  for _, m in ipairs(tide.ode.methods()) do known[m.name] = m end
  for _, name in ipairs{"dopri5", "tsit5", "radau5", "kvaerno5", "rodas4", "bdf", "auto"} do
    local m = known[name]
    if m and (m.adaptive or name == "auto") then
      local ys, stats = tide.odeint(f, y0, {0, t_end}, {method = name, rtol = rtol, atol = rtol,
        max_steps = 1000000})
      cells[#cells + 1] = {name, stats.steps, stats.nfe, ("%.6f"):format(ys[2][1])}
    end
  end
  report:table({"method", "steps", "evaluations", "y(end)"}, cells)
end

-- What the engine's own choice makes of it: its changes, and each step with the method that made it.
local function engine(report, o, rows)
  local steps, at, agree, n = {}, 1, 0, 0
  local _, stats = tide.odeint(van_der_pol(o.mu), tide.tensor({2, 0}, {dtype = "float64"}), {0, o.t},
    {method = "auto", rtol = o.rtol, atol = o.rtol, on_step = function(step)
      steps[#steps + 1] = {t = step.start, h = step.h, stiff = 0}
    end})
  local changes, stiff = {}, 0
  for i, step in ipairs(steps) do
    local change = stats.switches[at]
    if change and change.step == i - 1 then
      stiff, at = change.method == "radau5" and 1 or 0, at + 1
      changes[#changes + 1] = {("%.4f"):format(change.t), change.step, change.method}
    end
    step.stiff = stiff
  end
  local i = 1
  for _, row in ipairs(rows) do
    while steps[i + 1] and steps[i + 1].t <= row.t do i = i + 1 end
    n = n + 1
    if steps[i].stiff == row.stiff then agree = agree + 1 end
  end
  report:say('The engine\'s "auto" (tsit5 and radau5) sees no spectrum: |df| / |dY| of two stages says that '
    .. "a problem has become stiff, the power method with Newton's Jacobian that it no longer is. At "
    .. "%.0f %% of the points it is where the estimate above says. Its changes:", 100 * agree / n)
  report:table({"t", "steps until then", "goes on with"}, changes)
  report:csv("steps", {"t", "h", "stiff"}, steps)
end

local function evidence(o, report)
  local f = van_der_pol(o.mu)
  local times, ys, spectrum = look(o.mu, o.t, o.rtol)
  local list, rows, stiff = spectrum:totable(), {}, 0
  local real = theory.intervals "dopri5"
  for i = 1, #times do
    local left = 0
    for _, z in ipairs(list[i][1]) do left = math.max(left, -z[1]) end
    local stable = left > 0 and real / left or math.huge
    local accurate = accurate_step(f, times[i], ys[i], o.rtol)
    local is_stiff = stable < accurate
    if is_stiff then stiff = stiff + 1 end
    rows[i] = {t = times[i], y = ys[i][1], stable = math.min(stable, o.t), accurate = math.min(accurate, o.t),
      stiff = is_stiff and 1 or 0}
  end
  report:say("Van der Pol, mu = %g, to t = %g, rtol = %g. At %d points of the path: the step that accuracy "
    .. "allows "
    .. "(Hairer's rule for order 5), and the one that keeps h lambda in dopri5's interval of stability "
      .. "(%.3f).", o.mu,
    o.t, o.rtol, #times, real)
  report:say("Stability is the shorter of the two at %.0f %% of them: there an implicit method should take "
    .. "over.",
    100 * stiff / #times)
  local ratio = theory.stiffness_ratio(spectrum):reshape{-1}:totable()
  local most = 0
  for _, v in ipairs(ratio) do if v == v then most = math.max(most, v) end end
  report:say("The stiffness ratio along the path reaches %.3g.", most)
  counts(report, o.mu, o.t, o.rtol)
  report:csv("automatic", {"t", "y", "stable", "accurate", "stiff"}, rows)
  engine(report, o, rows)
end

dfl.run({name = "automatic", title = "Automatic selection, stiff and nonstiff (Petzold 1983)",
  options = {{"mu", 100.0, "stiffness of van der Pol's oscillator"}, {"t", 200.0, "end"},
    {"rtol", 1e-6, "relative and absolute tolerance"}},
  claim = [[A problem may be stiff in one place and not in another. A solver that estimates which step
    accuracy allows and which step stability allows can change its method: explicit where the first is the
    shorter, implicit where the second is.]],
  slip = [[Optional reading without exercise. The estimate of the eigenvalue must be cheap: solvers take |df|
    / |dY| of two evaluations at the same time (help "stiff"), not a spectrum; this script may.]],
  evidence = evidence}, arg)
