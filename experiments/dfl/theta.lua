--- The theta method (third exercise of section 1): which theta has the smallest truncation error?

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local theory = tide.theory

-- old: the source's theta, the weight of the old end; the engine's is that of the new one.
local function method(old) return {"theta", theta = 1 - old} end

local function f(_, y) return y * (1 - y) end -- logistic growth
local function exact(t) return 1 / (1 + 4 * math.exp(-t)) end

local function order_table(report)
  local cells = {}
  for i, old in ipairs{1, 0.75, 0.6, 0.5, 0.4, 0.25, 0} do
    local rows = theory.convergence{f = f, exact = exact, y0 = exact(0), t = {0, 4}, method = method(old),
      steps = {40, 80, 160}}
    local p = theory.order(method(old))
    local stable, angle = theory.a_stable(method(old))
    cells[i] = {("%g"):format(old), p, ("%+.4f"):format(old - 0.5), dfl.e(rows[3].error),
      ("%.3f"):format(rows[3].order), stable and "A-stable" or ("%.0f degrees"):format(angle),
      ("%.3f"):format(select(2, theory.l_stable(method(old))))}
  end
  report:table({"theta", "order", "theta - 1/2", "error, h = 1/40", "observed", "stability", "|R(inf)|"},
    cells)
end

local function evidence(o, report)
  report:say("y' = y (1 - y), y(0) = 1/5, at t = 4:")
  order_table(report)
  local rows, best = {}, {}
  for _, n in ipairs{4, 16, 64} do
    for i = 0, o.points - 1 do
      local old = i / (o.points - 1)
      local error = theory.convergence{f = f, exact = exact, y0 = exact(0), t = {0, 4}, method = method(old),
        steps = {n}}[1].error
      rows[#rows + 1] = {steps = n, theta = old, error = error}
      if not best[n] or error < best[n].error then best[n] = rows[#rows] end
    end
    report:say("%d steps: the smallest error at the end, %.1e, at theta = %.3f.", n, best[n].error,
      best[n].theta)
  end
  report:csv("theta", {"steps", "theta", "error"}, rows)
end

dfl.run({name = "theta", title = "The theta method y_(n+1) = y_n + h (theta f_n + (1 - theta) f_(n+1))",
  options = {{"points", 41, "values of theta"}},
  claim = [[h tau = h^2 (theta - 1/2) y'' + O(h^3): the truncation error is smallest for theta = 1/2, where
    the method (the trapezium rule) has order 2; otherwise it has order 1.]],
  slip = [[Right. What it does not say: for a given h and f the error at the end may be smallest for a theta a
    little off 1/2, where the first two terms cancel; the shorter h, the nearer to 1/2. Its theta weighs the
    old end; that of tide.theory's {"theta", theta = x} weighs the new one.]],
  evidence = evidence}, arg)
