--- Suli, Mayers, exercise 12.11: a three-step method of order 4 that nobody can use.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local theory = tide.theory

local typed = {alpha = {-1, -9, 9, 1}, beta = {0, 6, 6, 0}}

-- y_(n+3) + a (y_(n+2) - y_(n+1)) - y_n = h b (f_(n+2) + f_(n+1))
local function family(a, b) return {alpha = {-1, -a, a, 1}, beta = {0, b, b, 0}} end

local function orders(report)
  local cells = {}
  for i, pair in ipairs{{9, 6}, {9, 5}, {0, 1.5}, {1, 2}, {-1, 1}} do
    local m = family(pair[1], pair[2])
    local p, missed = theory.order(m)
    cells[i] = {("%g"):format(pair[1]), ("%g"):format(pair[2]), p, theory.zero_stable(m) and "yes" or "no",
      missed}
  end
  report:table({"alpha", "beta", "order", "zero-stable", "first condition that fails"}, cells)
end

-- y' = -y from exact starting values.
local function errors_at_end(n)
  local h, start = 1 / n, {}
  for k = 1, 2 do start[k] = tide.tensor({math.exp(-k * h)}, {dtype = "float64"}) end
  local unstable = {alpha = typed.alpha, beta = typed.beta, unstable = true} -- we know, and want to see it
  local y = tide.odeint(function(_, u) return -u end, tide.ones({1}, {dtype = "float64"}), {0, 1},
    {method = unstable, steps = n, start = start})
  return math.abs(y[2][1] - math.exp(-1))
end

local function evidence(o, report)
  report:say("tide.theory.order of the typed-in coefficients, and of others with beta by the first equation "
    .. "or not:")
  orders(report)
  local stable, roots = theory.zero_stable(typed)
  report:say("Roots of rho = (z - 1)(z^2 + 10 z + 1), zero-stable: %s", tostring(stable))
  print((tostring(roots):gsub("^", "  "):gsub("\n", "\n  ")))
  report:say("y' = -y to t = 1 from exact starting values: each step multiplies errors by 9.9.")
  local rows, cells = {}, {}
  for i, n in ipairs{4, 8, 12, 16, 24, 32} do
    if n <= o.n then
      rows[i] = {steps = n, error = errors_at_end(n)}
      cells[i] = {n, dfl.e(rows[i].error)}
    end
  end
  report:table({"steps", "error at t = 1"}, cells)
  report:csv("multistep_12_11", {"steps", "error"}, rows)
end

dfl.run({name = "multistep_12_11", title = "y_(n+3) + alpha (y_(n+2) - y_(n+1)) - y_n = h beta (f_(n+2) + "
  .. "f_(n+1)) "
  .. "(Suli, Mayers 12.11)",
  options = {{"n", 32, "steps, at most"}},
  claim = [[Order 4 asks for 3 + alpha - 2 beta = 0, 27 + 7 alpha - 15 beta = 0 and 27 + 5 alpha - 12 beta =
    0, so alpha = 9, beta = 6. Then rho has a root outside the unit circle: the method is not zero-stable.]],
  slip = [[Equations and result are right, but the Taylor series above them are not: y_(n+1) and y'_(n+1) need
    the factors 1/2, 1/6, 1/24 (it writes h^2 y'' + h^3 y''' + h^4 y''''). That no zero-stable choice exists
    is Dahlquist's first barrier: an explicit method of k = 3 steps has at most order 3.]],
  evidence = evidence}, arg)
