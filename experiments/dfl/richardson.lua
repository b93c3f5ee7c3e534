--- Richardson extrapolation (Numerical Recipes 16.4) as Runge-Kutta methods that one types in.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local theory = tide.theory

-- Euler's method with n_1 < n_2 < ... steps of h/n_i, extrapolated to h = 0, as one tableau: the stages of
-- the rows one behind the other (all rows share the first), their weights combined by Lagrange's formula at
-- 0.
local function extrapolated_euler(numbers)
  local A, b, c = {{}}, {0.0}, {0.0}
  for i, n in ipairs(numbers) do
    local weight = 1.0 -- of T_i: product over j of n_i / (n_i - n_j)
    for j, m in ipairs(numbers) do if j ~= i then weight = weight * n / (n - m) end end
    local own = {1}
    for k = 1, n - 1 do
      local row = {}
      for j = 1, #A do row[j] = 0.0 end
      for _, j in ipairs(own) do row[j] = 1 / n end
      A[#A + 1], b[#b + 1], c[#c + 1] = row, 0.0, k / n
      own[#own + 1] = #A
    end
    for _, j in ipairs(own) do b[j] = b[j] + weight / n end
  end
  return {A = A, b = b, c = c}
end

local function f(t, y) return y * t:cos() end
local function exact(t) return math.exp(math.sin(t)) end

local function evidence(o, report)
  local rows, cells, numbers = {}, {}, {}
  for k = 1, o.k do
    numbers[k] = k
    local m = extrapolated_euler(numbers)
    local p = theory.order(m)
    m.order = p
    local run = theory.convergence{f = f, exact = exact, y0 = 1, t = {0, 2}, method = m, steps = {8, 16, 32,
      64}}
    for _, r in ipairs(run) do rows[#rows + 1] = {k = k, h = r.h, error = r.error} end
    cells[k] = {k, #m.b, p, dfl.e(run[4].error), ("%.2f"):format(run[4].order),
      ("%.3f"):format((theory.intervals(m)))}
  end
  report:say("Euler with 1, 2, ..., k steps, extrapolated; y' = y cos t to t = 2 in 64 steps:")
  report:table({"k", "stages", "order", "error", "observed", "stable to -"}, cells)
  local two = extrapolated_euler{1, 2}
  report:say("k = 2 is a tableau of two stages: A = {{}, {%g}}, b = {%g, %g}: the midpoint method.",
    two.A[2][1],
    two.b[1], two.b[2])
  local before = theory.convergence{f = f, exact = exact, y0 = 1, t = {0, 2}, method = "rk4", steps = {8, 16}}
  report:say("The same trick estimates errors: (y_h/2 - y_h) / (2^p - 1). rk4, 16 steps: error %.3e.",
    before[2].error)
  local ys = {}
  for i, n in ipairs{8, 16} do
    ys[i] = tide.odeint(f, tide.ones({1}, {dtype = "float64"}), {0, 2}, {method = "rk4", steps = n})[2][1]
  end
  report:say("Estimated from 8 and 16 steps: %.3e; extrapolated, the error is %.1e.",
    math.abs(ys[2] - ys[1]) / 15,
    math.abs(ys[2] + (ys[2] - ys[1]) / 15 - exact(2)))
  report:csv("richardson", {"k", "h", "error"}, rows)
end

dfl.run({name = "richardson", title = "Richardson extrapolation (Numerical Recipes 16.4)",
  options = {{"k", 5, "rows of the tableau, 1 to 5"}},
  claim = [[The error of Euler's method has an expansion in powers of h; k solves with h, h/2, ..., h/k,
    extrapolated to h = 0, have order k. As each is explicit, so is the result: a Runge-Kutta method with 1 +
    k (k - 1) / 2 stages.]],
  slip = [[Optional reading without exercise. Orders 3, 4, 5 come with 4, 7, 11 stages: the best explicit
    methods need 3, 4, 6. Extrapolation pays for higher orders, or from a method with an expansion in h^2.]],
  evidence = evidence}, arg)
