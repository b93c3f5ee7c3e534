--- Suli, Mayers, exercise 12.3: Picard's iteration for y' = p y + q, y(0) = 1.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")

-- Coefficients of y_(n+1)(t) = 1 + integral of p y_n + q.
local function picard(c, p, q)
  local next_one = {1.0}
  for k = 1, #c do next_one[k + 1] = (p * c[k] + (k == 1 and q or 0)) / k end
  return next_one
end

local function value(c, t)
  local v = 0
  for k = #c, 1, -1 do v = v * t + c[k] end
  return v
end

-- 1 + (1 + q/p) sum_(k=1)^n (p t)^k / k!
local function closed_form(n, p, q)
  local c, term = {1.0}, 1
  for k = 1, n do
    term = term * p / k
    c[k + 1] = (1 + q / p) * term
  end
  return c
end

local function evidence(o, report)
  local p, q, c = o.p, o.q, {1.0}
  local function exact(t) return math.exp(p * t) + q / p * (math.exp(p * t) - 1) end
  local rows, cells, worst = {}, {}, 0
  for n = 0, o.n do
    local formula, largest = closed_form(n, p, q), 0
    for k = 1, #c do worst = math.max(worst, math.abs(c[k] - formula[k])) end
    for i = 0, 50 do
      local t = o.t * i / 50
      rows[#rows + 1] = {n = n, t = t, y = value(c, t), exact = exact(t)}
      largest = math.max(largest, math.abs(value(c, t) - exact(t)))
    end
    local bound = math.abs(1 + q / p) -- Taylor's remainder
    for k = 1, n + 1 do bound = bound * math.abs(p) * o.t / k end
    cells[n + 1] = {n, ("%.6f"):format(value(c, o.t)), dfl.e(largest),
      dfl.e(bound * math.max(1, math.exp(p * o.t)))}
    c = picard(c, p, q)
  end
  report:say("p = %g, q = %g. The iterates are polynomials; their coefficients and those of the closed form "
    .. "differ by %.1e at most.", p, q, worst)
  report:table({"n", ("y_n(%g)"):format(o.t), "largest error", "Taylor's remainder"}, cells)
  report:say("exact: %.6f. At t = 0 each iterate is 1; the formula of the source would give q/p = %g there.",
    exact(o.t), q / p)
  report:csv("picard", {"n", "t", "y", "exact"}, rows)
end

dfl.run({name = "picard", title = "Picard's iteration (Suli, Mayers 12.3)",
  options = {{"p", -2.0, "of y' = p y + q"}, {"q", 1.0, ""}, {"n", 8, "iterations"}, {"t", 2.0, "end"}},
  claim = [[For y' = p y + q, y(0) = 1, Picard's iteration y_(n+1)(t) = 1 + int_0^t (p y_n + q) gives the
    Taylor polynomials of the solution, y_n = 1 + (1 + q/p) sum_(k=1)^n (p t)^k / k!, which converge for all
    t.]],
  slip = [[The source writes y_n = q/p + (y + q/p) sum_(k=1)^n (p t)^k / k!. The y on the right is the initial
    value 1, and the constant must be 1: with q/p the iterates do not begin at y(0) = 1. Its solution (e^(pt)
    + q/p (e^(pt) - 1)) is right.]],
  evidence = evidence}, arg)
