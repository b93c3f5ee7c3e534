--- Suli, Mayers, exercise 12.12: consistent, and still useless.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local theory = tide.theory

local function family(a, b) return {alpha = {a, b, 0, 1}, beta = {0, 0, 1, 0}} end
local typed = family(1, -2)

local function errors_at_end(n)
  local h, start = 1 / n, {}
  for k = 1, 2 do start[k] = tide.tensor({math.exp(-k * h)}, {dtype = "float64"}) end
  local unstable = {alpha = typed.alpha, beta = typed.beta, unstable = true}
  local y = tide.odeint(function(_, u) return -u end, tide.ones({1}, {dtype = "float64"}), {0, 1},
    {method = unstable, steps = n, start = start})
  return math.abs(y[2][1] - math.exp(-1))
end

local function polynomial(name, stable, roots)
  return ("  %s, zero-stable: %s\n%s"):format(name, stable, (tostring(roots):gsub("  ", "    ")))
end

local function evidence(o, report)
  local p, missed = theory.order(typed)
  report:say("a = 1, b = -2: order %d; %s. tide.theory.error_constant: %g, so tau = 3/2 h y'' + O(h^2).", p,
    missed,
    theory.error_constant(typed))
  for _, pair in ipairs{{1, -1}, {0, -1}} do
    report:say("a = %g, b = %g: %s.", pair[1], pair[2], select(2, theory.consistent(family(pair[1],
      pair[2]))))
  end
  local stable, roots = theory.zero_stable(typed)
  print(polynomial("rho = z^3 - 2 z + 1 = (z - 1)(z^2 + z - 1)", stable, roots))
  local source = {alpha = {-1, -2, 0, 1}, beta = {0, 0, 1, 0}}
  local also, others = theory.zero_stable(source)
  print(polynomial("the source's z^3 - 2 z - 1 = (z + 1)(z^2 - z - 1)", also, others))
  report:say("The latter is of no consistent method: %s.", select(2, theory.consistent(source)))
  local rows, cells = {}, {}
  for i, n in ipairs{10, 20, 40, 60, 80} do
    if n <= o.n then
      rows[i] = {steps = n, error = errors_at_end(n)}
      cells[i] = {n, dfl.e(rows[i].error)}
    end
  end
  report:say("y' = -y to t = 1 from exact starting values: here truncation errors grow by 1.618 a step.")
  report:table({"steps", "error at t = 1"}, cells)
  report:csv("multistep_12_12", {"steps", "error"}, rows)
end

dfl.run({name = "multistep_12_12", title = "y_(n+1) + b y_(n-1) + a y_(n-2) = h f_n (Suli, Mayers 12.12)",
  options = {{"n", 80, "steps, at most"}},
  claim = [[Consistency asks for a = 1, b = -2; then the truncation error is 3/2 h y'' + O(h^2), order 1. A
    root of rho lies outside the unit circle: the method is not zero-stable.]],
  slip = [[Its rho is z^3 - 2 z - 1; with a = 1 it is z^3 - 2 z + 1. One sees at once that something is wrong:
    rho(1) must be 0 for a consistent method, and is -2. Both have a root of modulus 1.618, so the conclusion
    stands. It also leaves out y'' in tau = 3/2 h y''.]],
  evidence = evidence}, arg)
