--- Suli, Mayers, exercise 12.7: the bound for the trapezium rule method.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"

-- y' = -2 y + sin t has L = 2; from y(0) = -1/5 + c the solution is (2 sin t - cos t)/5 + c e^(-2t).
local L, c = 2, 1
local function f(t, y) return -2 * y + t:sin() end
local function exact(t) return (2 * math.sin(t) - math.cos(t)) / 5 + c * math.exp(-2 * t) end
local function third(t) return (-2 * math.cos(t) - math.sin(t)) / 5 - 8 * c * math.exp(-2 * t) end

local function largest_third(span)
  local M = 0
  for i = 0, 10000 do M = math.max(M, math.abs(third(span * i / 10000))) end
  return M
end

-- Of all steps: does |e_(n+1)| <= |e_n| + h L / 2 (|e_(n+1)| + |e_n|) + h^3 M / 12 hold?
local function holds(errors, h, M)
  for n = 1, #errors - 1 do
    local a, b = math.abs(errors[n]), math.abs(errors[n + 1])
    if b > a + h * L / 2 * (a + b) + h ^ 3 * M / 12 + 1e-15 then return false end
  end
  return true
end

local function errors_of(n, span)
  local times, out = {}, {}
  for k = 0, n do times[k + 1] = k == n and span or span * k / n end
  local ys = tide.odeint(f, tide.tensor({exact(0)}, {dtype = "float64"}), times,
    {method = "trapezoid", steps = n}):totable()
  for k, y in ipairs(ys) do out[k] = exact(times[k]) - y[1] end
  return out
end

local function evidence(o, report)
  local span, rows, cells, finals = o.t, {}, {}, {}
  local M = largest_third(span)
  for i = 1, o.halvings do
    local n = 2 ^ (i + 1) * math.ceil(span) // 1
    local h = span / n
    local errors = errors_of(math.tointeger(n), span)
    local bound = h ^ 2 * M / (12 * L) * (((1 + h * L / 2) / (1 - h * L / 2)) ^ n - 1)
    local final = math.abs(errors[#errors])
    rows[i] = {h = h, error = final, bound = bound, holds = holds(errors, h, M) and 1 or 0}
    finals[i] = final
  end
  local p = dfl.orders(finals)
  for i, r in ipairs(rows) do
    cells[i] = {("%g"):format(r.h), dfl.e(r.error), p[i], dfl.e(r.bound), ("%.1f"):format(r.bound / r.error),
      r.holds == 1 and "yes" or "no"}
  end
  report:say("y' = -2 y + sin t on [0, %g]: L = 2, M = max |y'''| = %.3f.", span, M)
  report:table({"h", "|e_n| at the end", "order", "bound", "bound / error", "each step obeys"}, cells)
  report:say("The bound grows like e^(L t) where the errors of this problem die away; its power of h is "
    .. "right. As the Adams-Moulton method that it is it has the error constant %.6f (-1/12) by "
    .. "tide.theory, and order %d.", tide.theory.error_constant{"adams_moulton", order = 2},
    tide.theory.order("trapezoid"))
  report:csv("trapezoid", {"h", "error", "bound", "holds"}, rows)
end

dfl.run({name = "trapezoid", title = "The trapezium rule method: a bound (Suli, Mayers 12.7)",
  options = {{"t", 2.0, "end of the interval"}, {"halvings", 8, "of the step"}},
  claim = [[With a Lipschitz constant L and |y'''| <= M, |e_(n+1)| <= |e_n| + h L / 2 (|e_(n+1)| + |e_n|) +
    h^3 M / 12; so, while h L < 2, |e_n| <= h^2 M / (12 L) (((1 + h L / 2) / (1 - h L / 2))^n - 1).]],
  slip = [[It writes e_(n+1) = e_n - h/2 (f_(n+1) + f_n) + int f(s, y(s)) ds and calls the last two terms E_1
    of exercise 11.12.1. They are not: here f_n is taken at the numerical solution, there at the exact one.
    The difference is what gives the terms with L; with E_1 alone the bound would be |e_n| <= n h^3 M / 12,
    which has no L and does not hold for growing solutions.]],
  evidence = evidence}, arg)
