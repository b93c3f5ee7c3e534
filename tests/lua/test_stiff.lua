--- Stiff problems (tests/lua/stiff.lua) by the implicit methods that adapt: errors in tolerances, evaluations
-- against those of SciPy's BDF and Radau, what is conserved.

local tide = require "tide"
local here = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local problems = dofile(here .. "/stiff.lua")

local tests = {}

local function solve(p, method, tol, controller)
  local ys, stats = tide.odeint(p.f, p.y0, {0, p.t}, {method = method, rtol = tol,
    atol = problems.atol(p, tol), plain = true, max_steps = 10 ^ 6, controller = controller})
  return ys[2]:totable(), stats
end

-- name -> evaluations of SciPy 1.17's BDF and Radau at 1e-4, 1e-6, 1e-8, all calls counted, those for
-- Jacobians too.
local scipy = {
  Robertson = {bdf = {1300, 2542, 5497}, radau5 = {1617, 4499, 13424}},
  ["van der Pol"] = {bdf = {1535, 2791, 5964}, radau5 = {2210, 5411, 15003}},
  HIRES = {bdf = {555, 898, 1699}, radau5 = {716, 1755, 4765}},
  Oregonator = {bdf = {2326, 4433, 9366}, radau5 = {3899, 9543, 26289}},
  E5 = {bdf = {149, 297, 534}, radau5 = {182, 451, 1400}},
  ["Prothero-Robinson"] = {bdf = {140, 200, 398}, radau5 = {45, 52, 113}},
}

-- Largest ratio of error to tolerance; evaluations against SciPy's at the same tolerance (at equal errors:
-- tests/bench/stiff.sh).
local limits = {bdf = {100, 1.2}, radau5 = {10, 1.15}}
local tolerances = {1e-4, 1e-6, 1e-8}

local function conserves(p, y, tol)
  if not p.invariant then return end
  local off = math.abs(p.invariant(y) - p.invariant(p.y0))
  assert(off < 1e-10, ("at %.0e: what is conserved is off by %.1e"):format(tol, off))
end

for name, counts in pairs(scipy) do
  for method, limit in pairs(limits) do
    tests[("%s by %s"):format(name, method)] = function()
      for i, tol in ipairs(tolerances) do
        local y, stats = solve(problems[name], method, tol)
        local ratio, most = problems.ratio(problems[name], y, tol), limit[2] * counts[method][i]
        assert(ratio <= limit[1], ("at %.0e: %.3g tolerances off, at most %g"):format(tol, ratio, limit[1]))
        assert(stats.nfe <= most, ("at %.0e: %d evaluations, at most %g"):format(tol, stats.nfe, most))
        conserves(problems[name], y, tol)
      end
    end
  end
end

-- Errors of many steps add up, more of them at tight tolerances and low order: at 1e-4 and 1e-6.
local others = {radau3 = 20, kvaerno3 = 500, kvaerno5 = 50, trbdf2 = 2000, rodas4 = 10, ros3p = 100}
for method, limit in pairs(others) do
  tests["the others: " .. method] = function()
    for name in pairs(scipy) do
      for _, tol in ipairs{1e-4, 1e-6} do
        local y = solve(problems[name], method, tol)
        local ratio = problems.ratio(problems[name], y, tol)
        assert(ratio <= limit, ("%s at %.0e: %.3g tolerances off, at most %g"):format(name, tol, ratio,
          limit))
        conserves(problems[name], y, tol)
      end
    end
  end
end

tests["Jacobians are counted, and so are the matrices that are factored"] = function()
  local p = problems["van der Pol"]
  for _, method in ipairs{"radau5", "bdf", "kvaerno5", "rodas4", "auto"} do
    local calls = 0
    local function jacobian(_, y)
      calls = calls + 1
      return {{0, 1}, {-2000 * y[1] * y[2] - 1, 1000 * (1 - y[1] ^ 2)}}
    end
    local _, stats = tide.odeint(p.f, p.y0, {0, p.t}, {method = method, plain = true, jacobian = jacobian})
    assert(stats.jacobians == calls and stats.factorizations >= calls, method)
    assert(stats.jacobians > 10 and (method ~= "bdf" or stats.jacobians < 0.1 * stats.steps), method)
  end
  local _, stats = tide.odeint(p.f, p.y0, {0, 1}, {method = "dopri5", plain = true})
  assert(stats.jacobians == nil and stats.factorizations == nil)
end

-- A fast oscillation that is hardly damped, 5000 periods of it: errors add up, those of bdf most, whose
-- higher orders are not stable there (SciPy's LSODA: 860 tolerances at 1e-4, 2500 at 1e-6; CVODE's bdf 6600
-- at 1e-6, 28000 at 1e-8). Of radau5 PI control rejects 2200 steps, not 9100, and ends nearer for less.
tests["ring modulator"] = function()
  local p = problems["ring modulator"]
  for method, limit in pairs{bdf = 2000, radau5 = 40} do
    local y = solve(p, method, 1e-4)
    assert(problems.ratio(p, y, 1e-4) <= limit)
  end
  local y, stats = solve(p, "radau5", 1e-4, "PI")
  assert(problems.ratio(p, y, 1e-4) <= 25 and stats.nfe <= 340000)
end

return tests
