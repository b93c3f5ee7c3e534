--- Suli, Mayers, exercise 12.4: y' = y^(1/5), y(0) = 0, where Euler's method sees nothing.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"

local function exact(t) return (0.8 * t) ^ 1.25 end
local function f(_, y) return {math.max(y[1], 0) ^ 0.2} end

-- The root u >= 1 of u^5 - u = c >= 0, from above, where Newton's method falls monotonically.
local function root(c)
  local u = math.max(1, (c + 1) ^ 0.2) + 1
  for _ = 1, 200 do
    local step = (u ^ 5 - u - c) / (5 * u ^ 4 - 1)
    if math.abs(step) < 1e-15 * u then break end
    u = u - step
  end
  return u
end

-- C_(n+1)^(5/4) = C_n^(5/4) + C_(n+1)^(1/4), C_0 = 0; with u = C_(n+1)^(1/4) a polynomial.
local function sequence(n)
  local C = {[0] = 0.0}
  for k = 1, n do C[k] = root(C[k - 1] ^ 1.25) ^ 4 end
  return C
end

local function show_sequence(report, C)
  local cells = {}
  for _, n in ipairs{1, 2, 3, 10, 100, 1000} do
    if C[n] then cells[#cells + 1] = {n, ("%.9f"):format(C[n]), ("%.6f"):format(C[n] / n)} end
  end
  report:table({"n", "C_n", "C_n / n"}, cells)
end

local function evidence(o, report)
  local C = sequence(o.n)
  local euler = tide.odeint(f, {0}, {0, 1}, {plain = true, method = "euler", steps = 100})
  report:say("Euler, h = 1/100: y(1) = %g; exact besides: %.6f. From y(0) = 1e-300, which is no number to "
    .. "speak of, "
    .. "it gives %.6f.", euler[2][1], exact(1),
    tide.odeint(f, {1e-300}, {0, 1}, {plain = true, method = "euler", steps = 100})[2][1])
  report:say("Implicit Euler, y_n = (C_n h)^(5/4): with u = C_(n+1)^(1/4) the equation is u^5 - u = "
    .. "C_n^(5/4), and "
    .. "the left side grows from 0 to infinity for u >= 1, so there is exactly one C_(n+1) >= 1:")
  show_sequence(report, C)
  local rows, cells, errors = {}, {}, {}
  local n = 10
  while n <= o.n do
    local worst = 0
    for k = 1, n do worst = math.max(worst, math.abs((C[k] / n) ^ 1.25 - exact(k / n))) end
    errors[#errors + 1] = worst
    rows[#rows + 1] = {n = n, h = 1 / n, error = worst}
    n = 2 * n
  end
  local p = dfl.orders(errors)
  for i, r in ipairs(rows) do cells[i] = {r.n, dfl.e(r.error), p[i]} end
  report:say("C_n / n tends to 4/5, which is the solution (4t/5)^(5/4). The largest error on [0, 1]:")
  report:table({"steps", "error", "order"}, cells)
  report:csv("fifth_root", {"n", "h", "error"}, rows)
  local paths = {}
  for k = 0, 10 do
    paths[#paths + 1] = {t = k / 10, implicit = (C[k] / 10) ^ 1.25, explicit = 0, exact = exact(k / 10)}
  end
  report:csv("paths", {"t", "implicit", "explicit", "exact"}, paths)
end

dfl.run({name = "fifth_root", title = "y' = y^(1/5), y(0) = 0 (Suli, Mayers 12.4)",
  options = {{"n", 1280, "steps, at most"}},
  claim = [[y = (4t/5)^(5/4) and y = 0 are both solutions: f is not Lipschitz at 0. Euler's method stays at 0
    for every h. Implicit Euler has the solution y_n = (C_n h)^(5/4) with C_0 = 0, C_1 = 1 and C_n > 1 from
    then on.]],
  slip = [[It says that "we only need to check that there exists a sequence C_n" and does not. It exists since
    u^5 - u grows for u >= 1. It is not the only one: y_1 = 0 solves the first step too, and at every step
    until the first that leaves 0 both are open, as for the differential equation itself.]],
  evidence = evidence}, arg)
