--- Errors against steps, for the figure: each method on one problem, by the slopes its order.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local theory = tide.theory

local function f(t, y) return y * t:cos() end
local function exact(t) return math.exp(math.sin(t)) end

local candidates = {"euler", "heun", "bosh3", "rk4", "dopri5", "vern7", "dopri8", "implicit_midpoint",
  "sdirk2",
  "trapezoid", "trbdf2", "radau3", "radau5", "gauss4", "gauss6", "ros3p", "rodas4"}
local multistep = {adams_bashforth = {2, 4}, abm = {2, 4}, bdf = {2, 4, 6}}

local short = {adams_bashforth = "AB", abm = "PECE", bdf = "BDF"}

local function methods()
  local known, out = {}, {}
  for _, row in ipairs(tide.ode.methods()) do known[row.name] = row end
  for _, name in ipairs(candidates) do if known[name] then out[#out + 1] = {name, name,
    known[name].family} end end
  for _, name in ipairs{"adams_bashforth", "abm", "bdf"} do
    for _, k in ipairs(known[name] and multistep[name] or {}) do
      if k <= known[name].order then out[#out + 1] = {("%s %d"):format(short[name], k), {name, order = k},
        "multistep"} end
    end
  end
  return out
end

local function evidence(o, report)
  local steps, rows, cells = {}, {}, {}
  for i = 3, o.halvings do steps[#steps + 1] = 2 ^ i // 1 end
  for i, row in ipairs(methods()) do
    local run = theory.convergence{f = f, exact = exact, y0 = 1, t = {0, 2}, method = row[2], steps = steps}
    local best
    for _, r in ipairs(run) do
      rows[#rows + 1] = {family = row[3], method = row[1], h = r.h, error = r.error, order = r.order or 0 / 0}
      if r.error > 1e-12 and r.order then best = r.order end -- above rounding
    end
    cells[i] = {row[1], (theory.order(row[2])), best and ("%.3f"):format(best) or "-", dfl.e(run[#run].error)}
  end
  report:say("y' = y cos t, y(0) = 1, to t = 2, in float64:")
  report:table({"method", "order", "observed", "error, shortest steps"}, cells)
  report:csv("convergence", {"family", "method", "h", "error", "order"}, rows)
end

dfl.run({name = "convergence", title = "Observed orders of convergence", options = {{"halvings", 8,
  "2^3 to 2^this steps"}},
  claim = [[A consistent and zero-stable method whose truncation error is O(h^p) has a global error of O(h^p):
    on logarithmic axes a line of slope p, until rounding errors.]],
  evidence = evidence}, arg)
