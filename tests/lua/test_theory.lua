-- tide.theory: orders, error constants, stability and angles against the books, spectra against closed forms.

local check = require "check"
local tide = require "tide"
local multistep = require "tide.theory.multistep"

local tests = {}
local theory, near, fails = tide.theory, check.near, check.fails
local float64 = {dtype = "float64"}

local root3, root6 = math.sqrt(3), math.sqrt(6)
local gauss4 = {A = {{1 / 4, 1 / 4 - root3 / 6}, {1 / 4 + root3 / 6, 1 / 4}}, b = {1 / 2, 1 / 2}}
local radau3 = {A = {{5 / 12, -1 / 12}, {3 / 4, 1 / 4}}, b = {3 / 4, 1 / 4}, c = {1 / 3, 1}}
local radau5 = {A = {
  {(88 - 7 * root6) / 360, (296 - 169 * root6) / 1800, (-2 + 3 * root6) / 225},
  {(296 + 169 * root6) / 1800, (88 + 7 * root6) / 360, (-2 - 3 * root6) / 225},
  {(16 - root6) / 36, (16 + root6) / 36, 1 / 9}}, b = {(16 - root6) / 36, (16 + root6) / 36, 1 / 9}}
local lobatto3a = {A = {{0, 0, 0}, {5 / 24, 1 / 3, -1 / 24}, {1 / 6, 2 / 3, 1 / 6}},
  b = {1 / 6, 2 / 3, 1 / 6}}
local lobatto3c = {A = {{1 / 6, -1 / 3, 1 / 6}, {1 / 6, 5 / 12, -1 / 12}, {1 / 6, 2 / 3, 1 / 6}},
  b = {1 / 6, 2 / 3, 1 / 6}}

-- ---- coefficients ----

local function text(list)
  local out = {}
  for i, v in ipairs(list) do out[i] = v[2] == 1 and ("%d"):format(v[1]) or ("%d/%d"):format(v[1], v[2]) end
  return table.concat(out, " ")
end

tests["coefficients of multistep methods are those of the tables"] = function()
  local function has(name, order, alpha, beta)
    local a, b = multistep.exact(name, order)
    assert(text(a) == alpha and text(b) == beta, name .. order .. ": " .. text(a) .. "; " .. text(b))
  end
  -- Hairer, Norsett, Wanner I, III.1, (1.5), (1.9), (1.22)
  has("adams_bashforth", 4, "0 0 0 -1 1", "-3/8 37/24 -59/24 55/24 0")
  has("adams_moulton", 1, "-1 1", "0 1")
  has("adams_moulton", 4, "0 0 -1 1", "1/24 -5/24 19/24 3/8")
  has("bdf", 3, "-1/3 3/2 -3 11/6", "0 0 0 1")
  has("bdf", 6, "1/6 -6/5 15/4 -20/3 15/2 -6 49/20", "0 0 0 0 0 0 1")
  has("adams_bashforth", 8, "0 0 0 0 0 0 0 -1 1", "-5257/17280 32863/13440 -115747/13440 2102243/120960 "
    .. "-296053/13440 242653/13440 -1152169/120960 16083/4480 0")
end

-- y' = -y from exact values: odeint's first step by the formula is that of these coefficients.
tests["odeint steps by the same coefficients"] = function()
  local h = 0.25
  for _, row in ipairs(tide.ode.methods()) do
    for order = row.least_order or 1, multistep.orders[row.name] and row.order or 0 do
      local m = theory.coefficients{row.name, order = order}
      local k, sum, start = #m.alpha - 1, 0, {}
      for j = 0, k - 1 do
        sum = sum - (m.alpha[j + 1] + h * m.beta[j + 1]) * math.exp(-j * h)
        if j > 0 then start[j] = {math.exp(-j * h)} end
      end
      local opts = {method = row.name, order = order, steps = k, plain = true, start = k > 1 and start or nil}
      if row.name == "leapfrog" then opts.order = nil end
      local y = tide.odeint(function(_, u) return {-u[1]} end, {1}, {0, k * h}, opts)[2][1]
      near(y, sum / (m.alpha[k + 1] + h * m.beta[k + 1]), 1e-13)
    end
  end
end

-- ---- orders ----

tests["orders, and the first condition that fails"] = function()
  local function has(method, p, words)
    local order, missed = theory.order(method)
    assert(order == p, ("%s: %d"):format(tostring(method), order))
    assert(missed:find(words, 1, true), missed)
  end
  has("euler", 1, "order 2, tree [t]: sum b_i c_i = 0, should be 1/2")
  has("rk4", 4, "order 5, tree [[ttt]]: sum b_i a_ij c_j^3 = 0.04166666667, should be 1/20")
  has("dopri8", 8, "order 9")
  has("dop853", 8, "order 9")
  has(gauss4, 4, "order 5")
  has(radau5, 5, "order 6")
  has(lobatto3a, 4, "order 5")
  has({"theta", theta = 0.5}, 2, "order 3")
  has({"theta", theta = 0.4}, 1, "sum b_i c_i = 0.4")
  has({A = {{}, {1}}, b = {0.5, 0.4}}, 0, "order 1, tree t: sum b_i = 0.9, should be 1")
  has({A = {{}, {1}}, b = {0.5, 0.5}, c = {0, 0.5}}, 1, "row 2 of A sums to 1, but c[2] is 0.5")
  has({alpha = {-1, -9, 9, 1}, beta = {0, 6, 6, 0}}, 4, "order 5: sum j^5 a_j - 5 j^4 b_j = 12, should be 0")
  has({alpha = {-1, 0.5}, beta = {1, 0}}, 0, "consistency: sum a_j = -0.5")
  has("leapfrog", 2, "order 3")
  for k = 1, 8 do
    has({"adams_bashforth", order = k}, k, ("order %d"):format(k + 1))
    has({"adams_moulton", order = k}, k, ("order %d"):format(k + 1))
    has({"abm", order = k}, k, "corrector, order")
    if k <= 6 then has({"bdf", order = k}, k, ("order %d"):format(k + 1)) end
  end
end

tests["every method of odeint has the order that its row states"] = function()
  for _, row in ipairs(tide.ode.methods()) do
    local ordered = row.default_order and row.least_order ~= row.order and row.name ~= "adams"
    local method = ordered and {row.name, order = row.order} or row.name
    if row.name ~= "adams" and row.name ~= "auto" then
      local p = theory.order(method)
      assert(p == row.order, ("%s: %d"):format(row.name, p))
      assert(theory.consistent(method))
      assert(theory.stability(method, {0, 0}) <= 1 + 1e-12)
      -- as a formula for q'', leapfrog_verlet has 1 twice
      assert(theory.zero_stable(method) or row.family == "symplectic", row.name)
    end
  end
  near(theory.error_constant{"adams", order = 3}, theory.error_constant{"abm", order = 3})
  fails("auto changes from one method to another", theory.stability, "auto", {0, 0})
end

tests["consistent"] = function()
  assert(theory.consistent("rk4"))
  local yes, why = theory.consistent{alpha = {1, -2, 0, 1}, beta = {0, 0, 2, 0}}
  assert(not yes and why == "order 1: sum j a_j - b_j = -1, should be 0", why)
  assert(theory.consistent{alpha = {1, -2, 0, 1}, beta = {0, 0, 1, 0}}) -- Suli, Mayers 12.12
end

-- Hairer, Norsett, Wanner I, III.2, table 2.1 and (2.13); of Runge-Kutta methods by hand.
tests["error constants"] = function()
  for k, c in ipairs{1 / 2, 5 / 12, 3 / 8, 251 / 720, 95 / 288, 19087 / 60480} do
    near(theory.error_constant{"adams_bashforth", order = k}, c, 1e-13)
  end
  for k, c in ipairs{-1 / 2, -1 / 12, -1 / 24, -19 / 720, -3 / 160, -863 / 60480} do
    near(theory.error_constant{"adams_moulton", order = k}, c, 1e-13)
    near(theory.error_constant{"abm", order = k}, c, 1e-13)
    near(theory.error_constant{"bdf", order = k}, -1 / (k + 1), 1e-12)
  end
  near(theory.error_constant "leapfrog", 1 / 6)
  near(theory.error_constant{alpha = {-1, 0, 1}, beta = {0, 2, 0}}, 1 / 6)         -- as it is normalised
  near(theory.error_constant{alpha = {-2, 0, 2}, beta = {0, 4, 0}}, 1 / 6)
  near(theory.error_constant "euler", 1 / 2)
  near(theory.error_constant "heun", math.sqrt((1 / 6) ^ 2 + ((1 / 2 - 1 / 3) / 2) ^ 2))
  near(theory.error_constant "dopri5", 3.99e-4, 5e-7) -- Dormand, Prince 1980
  fails("not consistent (order 1, tree t", theory.error_constant, {A = {{}}, b = {0.9}})
  fails("not zero-stable and has no", theory.error_constant, {alpha = {1, -2, 1}, beta = {-1, 0, 1}})
end

-- ---- stability ----

local function exact_R(p, q)
  return function(x, y)
    local function value(c)
      local a, b = 0, 0
      for j = #c, 1, -1 do a, b = a * x - b * y + c[j], a * y + b * x end
      return math.sqrt(a * a + b * b)
    end
    return value(p) / value(q)
  end
end

tests["stability functions"] = function()
  local cases = {
    {"rk4", {1, 1, 1 / 2, 1 / 6, 1 / 24}, {1}}, {gauss4, {12, 6, 1}, {12, -6, 1}},
    {radau3, {6, 2}, {6, -4, 1}}, {radau5, {60, 24, 3}, {60, -36, 9, -1}},
    {lobatto3a, {12, 6, 1}, {12, -6, 1}},
    {lobatto3c, {24, 6}, {24, -18, 6, -1}}, {{"theta", theta = 0.3}, {1, 0.7}, {1, -0.3}},
    {{"adams_moulton", order = 2}, {1, 0.5}, {1, -0.5}}, {{"bdf", order = 1}, {1}, {1, -1}},
  }
  for _, case in ipairs(cases) do
    local R = exact_R(case[2], case[3])
    for _, z in ipairs{{-1, 0}, {-0.3, 2}, {0, 1.5}, {-40, 7}, {0.5, -0.25}} do
      near(theory.stability(case[1], z) / R(z[1], z[2]), 1, 1e-12)
    end
  end
  -- two-step methods: roots of (3/2 - z) x^2 - 2 x + 1/2; x^2 - 2 z x - 1
  near(theory.stability({"bdf", order = 2}, {-1, 0}), math.sqrt(0.2))
  near(theory.stability("leapfrog", {-0.5, 0}), 0.5 + math.sqrt(1.25))
  near(theory.stability("leapfrog", {0, 0.9}), 1)
  near(theory.stability("euler", {{-1, 0}, {-2, 0}, {-3, 0}})[3], 2)
  local v = theory.stability("euler", tide.tensor({{-1, 1}, {0, 1}}, float64))
  near(v[1], 1) near(v[2], math.sqrt(2))
  assert(theory.stability({"theta", theta = 1}, {1, 0}) == math.huge)
  near(theory.stability("rk4", -1), 1 - 1 + 1 / 2 - 1 / 6 + 1 / 24)
end

-- Predict with Euler, correct with the trapezoid: that is Heun's method.
tests["predictor and corrector"] = function()
  local heun_like = {"abm", order = 1} -- Euler and implicit Euler: 1 + z + z^2
  for _, z in ipairs{{-1, 0.5}, {0.2, 2}, {-2, 0}} do
    near(theory.stability(heun_like, z), exact_R({1, 1, 1}, {1})(z[1], z[2]), 1e-13)
  end
  local real = theory.intervals{"abm", order = 4} -- Hairer, Wanner II, V.1: PECE of order 4
  near(real, 1.28, 0.01)
end

tests["intervals of stability"] = function()
  local function has(method, real, imaginary, tolerance)
    local a, b = theory.intervals(method)
    near(a == math.huge and 1e300 or a, real, tolerance or 1e-9)
    near(b == math.huge and 1e300 or b, imaginary, tolerance or 1e-9)
  end
  has("euler", 2, 0)
  has("rk4", 2.7852935634, math.sqrt(8))
  has("bosh3", 2.5127453266, root3)
  has({"adams_bashforth", order = 2}, 1, 0)
  has({"adams_bashforth", order = 3}, 6 / 11, 0.7236, 1e-4)
  has({"adams_bashforth", order = 4}, 0.3, 0.43, 1e-4)
  has({"adams_moulton", order = 3}, 6, 0)
  has({"adams_moulton", order = 4}, 3, 0)
  has("leapfrog", 0, 1)
  has(gauss4, 1e300, 1e300)
  has({"bdf", order = 2}, 1e300, 1e300)
end

tests["A-stability and angles"] = function()
  for _, method in ipairs{gauss4, radau3, radau5, lobatto3a, lobatto3c, "implicit_midpoint", "sdirk2",
    {"theta", theta = 0.5}, {"theta", theta = 1}, {"bdf", order = 1}, {"bdf", order = 2},
    {"adams_moulton", order = 2}} do
    local yes, angle = theory.a_stable(method)
    assert(yes == true and angle == 90)
  end
  for _, method in ipairs{"rk4", "dopri8", {"adams_moulton", order = 3}, "leapfrog", {"theta", theta = 0.499},
    {"abm", order = 2}, {alpha = {-1, -9, 9, 1}, beta = {0, 6, 6, 0}}} do
    local yes, angle = theory.a_stable(method)
    assert(yes == false and angle == 0)
  end
end

-- The boundary locus of BDF gives the angle in another way: the least angle of its points to the left.
local function angle_of_bdf(k)
  local function angle(theta)
    local x, y = 0, 0
    for j = 1, k do -- (1 - e^(-i theta))^j / j
      local r, phi = (2 * math.sin(theta / 2)) ^ j / j, j * (math.pi - theta) / 2
      x, y = x + r * math.cos(phi), y + r * math.sin(phi)
    end
    return x < 0 and math.deg(math.atan(math.abs(y), -x)) or 90
  end
  local best, width = 0, math.pi
  for i = 1, 2000 do if angle(i * math.pi / 2000) < angle(best) then best = i * math.pi / 2000 end end
  width = math.pi / 2000
  for _ = 1, 60 do
    width = width / 1.5
    for _, t in ipairs{best - width, best + width} do if angle(t) < angle(best) then best = t end end
  end
  return angle(best)
end

tests["angles of BDF: 86.03, 73.35, 51.84, 17.84"] = function()
  for k, known in pairs{[3] = 86.03, [4] = 73.35, [5] = 51.84, [6] = 17.84} do
    local yes, angle = theory.a_stable{"bdf", order = k}
    assert(not yes)
    near(angle, known, 0.005)
    near(angle, angle_of_bdf(k), 1e-6)
  end
end

tests["L-stability"] = function()
  for _, method in ipairs{radau3, radau5, lobatto3c, "sdirk2", {"bdf", order = 2}, {"theta", theta = 1}} do
    local yes, last = theory.l_stable(method)
    assert(yes)
    near(last, 0, 1e-10)
  end
  for _, method in ipairs{gauss4, lobatto3a, {"theta", theta = 0.5}} do
    local yes, last = theory.l_stable(method)
    assert(not yes)
    near(last, 1, 1e-10)
  end
  local yes, last = theory.l_stable "rk4"
  assert(not yes and last == math.huge)
end

tests["the root condition, with the roots"] = function()
  local yes, roots = theory.zero_stable{alpha = {-1, -9, 9, 1}, beta = {0, 6, 6, 0}}
  assert(not yes and #roots == 3)
  near(roots[1].re, -5 - 2 * root6, 1e-12) near(roots[1].modulus, 5 + 2 * root6, 1e-12)
  near(roots[2][1], 1, 1e-12) assert(roots[2].im == 0 and roots[3][3] == roots[3].modulus)
  assert(tostring(roots) == "  -9.898979486\n  1\n  -0.1010205144", tostring(roots))
  local _, pair = theory.zero_stable{alpha = {0.5, -1, 1}, beta = {0, 0, 0.5}}
  assert(tostring(pair[1]) == "0.5 + 0.5i, modulus 0.7071067812", tostring(pair[1]))
  assert(not theory.zero_stable{alpha = {1, -2, 1}, beta = {0, 0, 1}})           -- a double root 1
  assert(not theory.zero_stable{alpha = {1, -3, 3, -1}, beta = {0, 0, 0, 1}})    -- a triple one
  assert(theory.zero_stable{alpha = {-1, 0, 1}, beta = {0, 2, 0}})               -- 1 and -1
  assert(theory.zero_stable{alpha = {0.25, -0.25, -1, 1}, beta = {0, 0, 0, 0.75}}) -- 1, -1/2, 1/2
  assert(theory.zero_stable "rk4" and theory.zero_stable{"bdf", order = 6})
  local bdf7 = {alpha = {-1 / 7, 7 / 6, -21 / 5, 35 / 4, -35 / 3, 21 / 2, -7, 363 / 140},
    beta = {0, 0, 0, 0, 0, 0, 0, 1}}
  assert(not theory.zero_stable(bdf7) and theory.order(bdf7) == 7) -- Cryer 1972
end

tests["regions"] = function()
  local r = theory.region{method = "euler", re = {-2, 0}, im = {-1, 2}, n = 4}
  assert(#r.re == 4 and #r.im == 4 and r.value:shape()[1] == 4)
  near(r.re[2], -4 / 3) near(r.im[1], -1)
  near(r.value[3][2], math.sqrt((1 - 4 / 3) ^ 2 + 1 ^ 2)) -- im[3] = 1, re[2] = -4/3
  local drawn = tostring(theory.region{method = "euler", re = {-3, 1}, im = {-2, 2}, n = 5})
  assert(drawn == "euler: # stable, re -3 .. 1, im -2 .. 2\n...|.\n..#|.\n-###-\n..#|.\n...|.", drawn)
end

tests["points of the boundary locus have a root of modulus 1"] = function()
  for _, method in ipairs{"rk4", "euler", gauss4, radau5, {"bdf", order = 2}, {"abm", order = 1}} do
    local points = theory.boundary_locus(method, 33)
    assert(points:shape()[1] == 33 and points:shape()[2] == 2)
    for _, z in ipairs(points:totable()) do
      if z[1] < math.huge then near(theory.stability(method, z), 1, 1e-9) end
    end
    near(points[1][1], 0) near(points[33][1], 0, 1e-12)
  end
  -- the trapezoid: 2 i tan(theta / 2)
  local points = theory.boundary_locus("theta", 5):totable()
  near(points[2][2], 2) assert(points[3][1] == math.huge)
  -- the curve of rk4 is closed and in one piece
  local rk4, before = theory.boundary_locus("rk4", 401):totable(), nil
  for _, z in ipairs(rk4) do
    assert(not before or (z[1] - before[1]) ^ 2 + (z[2] - before[2]) ^ 2 < 0.05)
    before = z
  end
end

-- ---- along paths ----

tests["spectra: of a linear field, of one with time, of samples and of one sample"] = function()
  local A = tide.tensor({{0, -2, 0}, {2, 0, 0}, {0, 0, -3}}, float64)
  local function f(t, y) return (1 + t) * y:matmul(A) end
  local s = theory.spectrum{f = f, t = {0, 1}, y = tide.ones({2, 4, 3}, float64), h = {0.5, 0.25}}
  assert(table.concat(s:shape(), ",") == "2,4,3,2")
  for i = 1, 2 do
    for k = 1, 4 do
      near(s[i][k][1][1], -1.5) near(s[i][k][2][2], -1) near(s[i][k][3][2], 1) near(s[i][k][3][1], 0)
    end
  end
  local function g(_, y) return tide.stack{y[2] * y[1], -4 * y[2]} end
  local one = theory.spectrum{f = g, t = {0}, y = tide.tensor({{5, 3}}, float64), h = 1}
  assert(table.concat(one:shape(), ",") == "1,1,2,2")
  near(one[1][1][1][1], -4) near(one[1][1][2][1], 3)
  local ratio = theory.stiffness_ratio(theory.spectrum{f = function(_, y)
    return y:matmul(tide.tensor({{-1, 0}, {5, -1000}}, float64))
  end, t = {0}, y = tide.ones({1, 1, 2}, float64), h = 1})
  near(ratio[1][1], 1000, 1e-9)
  local model = tide.nn.odenet{dim = 2, hidden = 8, seed = 1}
  local path = model:trajectory(tide.randn({5, 2}, {seed = 1}), {0, 0.5, 1})
  assert(theory.spectrum{f = model.block.field, t = {0, 0.5, 1}, y = path, h = 0.5}:shape()[2] == 5)
end

tests["convergence"] = function()
  local function f(t, y) return y * t:cos() end
  local rows = theory.convergence{f = f, exact = function(t) return math.exp(math.sin(t)) end, y0 = 1,
    t = {0, 2}, method = "rk4", steps = {10, 20, 40}}
  assert(#rows == 3 and rows[1].order == nil)
  near(rows[2].h, 0.1) near(rows[3].order, 4, 0.1)
  assert(tostring(rows):find("h%s+error%s+order\n"))
  local function plain(t, y) return {y[1] * math.cos(t)} end
  local own = theory.convergence{f = plain, exact = math.exp(math.sin(2)), y0 = {1}, t = {0, 2}, method =
    {A = {{}, {0.5}, {0, 0.5}, {0, 0, 1}}, b = {1 / 6, 1 / 3, 1 / 3, 1 / 6}}, steps = {10, 20, 40}}
  for i = 1, 3 do near(own[i].error, rows[i].error, 1e-12) end
  local bdf = theory.convergence{f = f, exact = {math.exp(math.sin(2))}, y0 = tide.ones({1}, float64),
    t = {0, 2}, method = {"bdf", order = 2}, steps = {40, 80}}
  near(bdf[2].order, 2, 0.1)
end

-- ---- misuse ----

tests["wrong methods are refused with what is wrong"] = function()
  fails('theory.order: unknown method "rk44" (did you mean "rk4"', theory.order, "rk44")
  fails("method must be a name, {name, order = k}", theory.order, 4)
  fails("method must be a name", theory.stability, nil, {0, 0})
  fails("order of bdf must be in 1..6, got 7", theory.order, {"bdf", order = 7})
  fails("order of adams_bashforth must be in 1..8, got 0", theory.a_stable, {"adams_bashforth", order = 0})
  fails("rk4 takes no order", theory.order, {"rk4", order = 4})
  fails("bdf takes no theta", theory.order, {"bdf", theta = 1})
  fails('unknown option "oder" (did you mean "order"?)', theory.order, {"bdf", oder = 2})
  fails("option b is missing", theory.order, {A = {{}}})
  fails("A must have 2 rows", theory.order, {A = {{}}, b = {0.5, 0.5}})
  fails("A[2] has 3 entries for 2 stages", theory.order, {A = {{}, {1, 1, 1}}, b = {0.5, 0.5}})
  fails('b[2] must be a finite number, got "x"', theory.order, {A = {{}, {1}}, b = {0.5, "x"}})
  fails("A[2][1] must be a finite number, got nan", theory.order, {A = {{}, {0 / 0}}, b = {0.5, 1}})
  fails("beta must have 3 entries, got 2", theory.order, {alpha = {-1, 0, 1}, beta = {0, 1}})
  fails("the last entry of alpha", theory.order, {alpha = {-1, 1, 0}, beta = {0, 1, 0}})
  fails("option alpha is missing", theory.order, {beta = {0, 1}})
end

tests["wrong calls are refused with what is wrong"] = function()
  fails("z must be {re, im}", theory.stability, "rk4", "x")
  fails("theory.stability: z[2] must be {re, im}", theory.stability, "rk4", {{0, 0}, {1}})
  fails("n must be an integer in 2..1000000, got 1", theory.boundary_locus, "rk4", 1)
  fails("re must be {low, high}", theory.region, {method = "rk4", re = {1, 0}})
  fails("option method is missing", theory.region, {})
  local function unit(_, y) return y end
  local y = tide.ones{1, 3, 2}
  fails("samples of y influence each other", theory.spectrum,
    {f = function(_, u) return u:sum() * u end, t = {0}, y = y, h = 1})
  fails("y must be a tensor {#t, samples, d}", theory.spectrum, {f = unit, t = {0, 1}, y = y, h = 1})
  fails("f must be a function", theory.spectrum, {f = 1, t = {0}, y = y, h = 1})
  fails("h must be a list of 1 numbers, got 2 of them", theory.spectrum,
    {f = unit, t = {0}, y = y, h = {1, 2}})
  fails("f must return a tensor of the state's shape {3, 2}", theory.spectrum,
    {f = function(_, u) return u:sum() end, t = {0}, y = y, h = 1})
  fails("entry that is not finite", theory.spectrum,
    {f = function(_, u) return u * (0 / 0) end, t = {0}, y = y, h = 1})
end

tests["wrong calls of convergence"] = function()
  local good = {f = function(_, y) return y end, exact = 1, y0 = 1, t = {0, 1}, method = "rk4", steps = {1}}
  local function with(key, value)
    local o = {}
    for k, v in pairs(good) do o[k] = v end
    o[key] = value
    return o
  end
  fails("steps[1] must be an integer >= 1, got 0.5", theory.convergence, with("steps", {0.5}))
  fails("steps is empty", theory.convergence, with("steps", {}))
  fails("tensor with 1 numbers, got 2 numbers", theory.convergence, with("exact", {1, 2}))
  fails("t must be {t0, t1}", theory.convergence, with("t", {0}))
  fails("b must sum to 1, it misses that by 0.5", theory.convergence, with("method", {A = {{}}, b = {0.5}}))
end

return tests
