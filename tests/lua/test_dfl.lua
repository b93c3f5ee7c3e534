-- experiments/dfl: each exercise at small size: what it prints, what it leaves, and that its figure is drawn.

local check = require "check"
local tide = require "tide"
local files = require "tide.files"

local tests = {}

local folder_of = "experiments/dfl/"
local here = files.exists(folder_of .. "common.lua")

-- Runs an exercise and gives test(csv reader, text with its lines joined).
local function exercise(name, options, test)
  local function run(folder)
    local out = folder .. "/" .. name
    local words = {"./tide", folder_of .. name .. ".lua", "--out", out}
    for word in options:gmatch("%S+") do words[#words + 1] = word end
    local ok, text = files.run(words)
    assert(ok, text)
    for _, heading in ipairs{"Claim.\n", "Evidence.", "tables:   "} do
      assert(text:find(heading, 1, true), text)
    end
    local function read(table_name)
      return tide.csv.read(("%s/%s.csv"):format(out, table_name or name))
    end
    test(read, (text:gsub("%s+", " ")))
    assert(options:find("draw=false", 1, true) or files.exists(out .. "/" .. name .. ".png"), text)
  end
  tests[name] = function()
    if not here then return "skip: not in a checkout" end
    check.in_folder(run)
  end
end

local function last(list) return list[#list] end

exercise("heun", "--halvings 8", function(read, text)
  local tau, E2, bound = read():column("tau"), read():column("E2"), read():column("bound")
  check.near(math.log(tau[7] / tau[8]) / math.log(2), 2, 0.05)
  for i = 1, #E2 do assert(E2[i] <= bound[i]) end
  assert(text:find('tide.theory.order "heun": 2;', 1, true) and text:find("bracket is not closed", 1, true))
end)

exercise("picard", "--n 4 --t 1 --draw=false", function(read, text)
  local rows = read():where(function(r) return r.n == 4 and r.t == 1 end):records()
  check.near(rows[1].y, 1 + 0.5 * (-2 + 2 - 8 / 6 + 16 / 24), 1e-5)
  assert(text:find("q/p = -0.5 there", 1, true), text)
end)

exercise("fifth_root", "--n 40 --draw=false", function(read, text)
  local error = read():column "error"
  assert(#error == 3 and error[1] > error[2] and error[2] > error[3])
  assert(text:find("1.856674884", 1, true) and text:find("y(1) = 0;", 1, true))
  local path = read "paths"
  check.near(path:column("implicit")[2], 0.1 ^ 1.25, 1e-6)
end)

exercise("trapezoid", "--halvings 4 --draw=false", function(read)
  local error, bound, holds = read():column "error", read():column "bound", read():column "holds"
  for i = 1, 4 do assert(error[i] <= bound[i] and holds[i] == 1) end
end)

exercise("theta", "--points 5 --draw=false", function(read)
  local best
  for _, r in ipairs(read():where(function(r) return r.steps == 64 end):records()) do
    if not best or r.error < best.error then best = r end
  end
  assert(best.theta == 0.5)
end)

exercise("gauss", "--n 10 --draw=false", function(read, text)
  for _, r in ipairs(read():records()) do assert(r.re < -1e-9 and r.value < 1 or r.re > -1e-9
    and r.value > 1 - 1e-9) end
  assert(text:find("a_stable: true, 90 degrees; l_stable: false, |R| = 1", 1, true), text)
end)

for _, row in ipairs{{"multistep_12_11", "--n 12", "order 5: sum j^5 a_j", 100}, {"multistep_12_12", "--n 40",
  "consistency: sum a_j = -2", 10}} do
  exercise(row[1], row[2] .. " --draw=false", function(read, text)
    local error = read():column "error"
    assert(last(error) > row[4] * error[1])
    assert(text:find(row[3], 1, true), text)
  end)
end

exercise("predictor_corrector", "--draw=false", function(read)
  for _, r in ipairs(read():records()) do check.near(r.observed, r.order, 0.35) end
end)

exercise("richardson", "--k 3 --draw=false", function(_, text)
  assert(text:find("3 +4 +3 +%S+ +%d"), text)
  assert(text:find("A = {{}, {0.5}}, b = {0, 1}: the midpoint method", 1, true))
end)

exercise("adjoint", "--draw=false", function(read, text)
  assert(text:find("equation 17, by Simpson's rule %-0.016011118"), text)
  assert(text:find("the closed form of the curriculum 0.174666730", 1, true), text)
  local rows = read():records()
  for _, r in ipairs(rows) do
    assert(r.k > 15 or math.abs(r.by_hand) < 2e-5, r.k)
    assert(r.engine < 5e-5, r.k)
  end
  assert(rows[#rows].by_hand > 0.1)
  for _, r in ipairs(read("cost"):records()) do
    assert(r.nfe_backward == (r.gradient == "forward" and r.parameters or 1) * 80, r.gradient)
  end
end)

exercise("automatic", "--mu 20 --t 40 --rtol 1e-4 --draw=false", function(read)
  local stiff, n = read():column "stiff", 0
  for _, v in ipairs(stiff) do n = n + v end
  assert(n > 0.5 * #stiff and n < #stiff)
  local steps = read "steps":column "stiff"
  local made = 0
  for _, v in ipairs(steps) do made = made + v end
  assert(made > 0 and made < #steps)
end)

exercise("stability", "--n 8 --draw=false", function(_, text)
  assert(text:find("bdf, order 3 +3 +86.03") and text:find("explicit, rk4 +4 +0.00 +2.785 +2.828"), text)
end)

exercise("convergence", "--halvings 5 --draw=false", function(_, text)
  assert(text:find("rk4 +4 +4.0"), text)
end)

exercise("spectra", "--iterations 3 --settings 2 --points 4 --draw=false", function(read)
  assert(#read():records() == 16)
end)

exercise("cnf", "--sets moons,checkerboard --iterations 20 --n 200 --test 50 --hidden 8 --integral 81 "
  .. "--points 5 --drawn 9 --samples 2 --draw=false", function(read)
  local sums = read():column "integral"
  check.near(sums[1], 1, 1e-4)
  check.near(sums[2], 1, 1e-4)
  assert(#read "training":column "nll" == 2 * 2 * 20 and #read "density":column "p" == 2 * 3 * 25)
  assert(#read "samples":column "x" == 2 * 4 * 9)
end)

exercise("audit", "--last 2 --draw=false", function(read)
  local rows = read():records()
  assert(#rows == 11)
  for _, r in ipairs(rows) do
    local exact = r.gradient ~= "adjoint" and r.gradient ~= "interpolated"
    assert(r.refused == "" and r.relative_error < (exact and 1e-7 or 0.2), r.gradient)
    assert((r.made_again == 1) == (r.problem == "contracting" and r.gradient == "adjoint"))
  end
end)

exercise("regularisers", "--iterations 10 --seeds 1 --kinds 2 --draw=false", function(read)
  local rows = read "regularisers-three_spheres":records()
  assert(#rows == 4 and rows[1].solver == "euler" and rows[4].regulariser == "kinetic")
end)

return tests
