--- Stiff test problems as plain Lua: each is {name, f(t, y) -> dy, y0, t (the end), at_end = y(t), scale:
-- what atol is per tol (a number for each component or for all of them), invariant(y) or nil}.
--
-- Sources. HW: Hairer, Wanner, Solving Ordinary Differential Equations II, IV.1 and IV.10. Bari: Mazzia,
-- Magherini, Test Set for Initial Value Problem Solvers, release 2.4 (2008), whose 16 digits the values at
-- the end are where nothing else is said. All of them were computed again by SciPy's Radau at 1e-12 and
-- agree with that to 1e-12 of each component, but for the ring modulator, whose digits are Bari's.

local problems = {}

local function add(name, p)
  p.name = name
  problems[#problems + 1], problems[name] = p, p
end

local exp, sin, cos, pi = math.exp, math.sin, math.cos, math.pi

-- Robertson 1966; HW (1.4), Bari "rober". Its three reactions keep the sum.
add("Robertson", {
  f = function(_, y)
    local a, b, c = 0.04 * y[1], 1e4 * y[2] * y[3], 3e7 * y[2] ^ 2
    return {b - a, a - b - c, c}
  end,
  y0 = {1, 0, 0}, t = 1e11, scale = {1e-8, 1e-14, 1},
  invariant = function(y) return y[1] + y[2] + y[3] end,
  at_end = {0.2083340149701255e-7, 0.8333360770334713e-13, 0.9999999791665050}})

-- Van der Pol's oscillator, mu = 1000, unscaled; Bari "vdpol".
add("van der Pol", {
  f = function(_, y) return {y[2], 1000 * (1 - y[1] ^ 2) * y[2] - y[1]} end,
  y0 = {2, 0}, t = 2000, scale = 1,
  at_end = {1.706167732170469, -0.8928097010248257e-3}})

-- Schaefer 1975, eight reactants of photomorphogenesis; HW (10.4), Bari "hires". y[7] + y[8] stays.
add("HIRES", {
  f = function(_, y)
    local a = 280 * y[6] * y[8]
    return {-1.71 * y[1] + 0.43 * y[2] + 8.32 * y[3] + 0.0007, 1.71 * y[1] - 8.75 * y[2],
      -10.03 * y[3] + 0.43 * y[4] + 0.035 * y[5], 8.32 * y[2] + 1.71 * y[3] - 1.12 * y[4],
      -1.745 * y[5] + 0.43 * y[6] + 0.43 * y[7],
      -a + 0.69 * y[4] + 1.71 * y[5] - 0.43 * y[6] + 0.69 * y[7], a - 1.81 * y[7], -a + 1.81 * y[7]}
  end,
  y0 = {1, 0, 0, 0, 0, 0, 0, 0.0057}, t = 321.8122, scale = 1e-2,
  invariant = function(y) return y[7] + y[8] end,
  at_end = {0.7371312573325668e-3, 0.1442485726316185e-3, 0.5888729740967575e-4, 0.1175651343283149e-2,
    0.2386356198831331e-2, 0.6238968252742796e-2, 0.2849998395185769e-2, 0.2850001604814231e-2}})

-- Field, Noyes 1974; HW (10.3), Bari "orego".
add("Oregonator", {
  f = function(_, y)
    return {77.27 * (y[2] + y[1] * (1 - 8.375e-6 * y[1] - y[2])), (y[3] - (1 + y[1]) * y[2]) / 77.27,
      0.161 * (y[1] - y[3])}
  end,
  y0 = {1, 2, 3}, t = 360, scale = 1,
  at_end = {0.1000814870318523e1, 0.1228178521549917e4, 0.1320554942846706e3}})

-- Enright, Hull, Lindberg 1975, problem E5, to its t = 1000 and not to the 1e13 of HW (10.5): there y[2] -
-- y[3] - y[4], which stays 0, has a rounding error of 1e-19 in float64 beside values of 9e-23.
-- By Radau at rtol = 1e-12 with the exact Jacobian; SciPy's BDF agrees to 2e-10.
add("E5", {
  f = function(_, y)
    local a, b, c = 7.89e-10 * y[1], 1.1e7 * y[1] * y[3], 1.13e9 * y[2] * y[3]
    local d = 1.13e3 * y[4]
    return {-a - b, a - c, a - b - c + d, b - d}
  end,
  y0 = {1.76e-3, 0, 0, 0}, t = 1000, scale = 1e-12,
  invariant = function(y) return y[2] - y[3] - y[4] end,
  at_end = {1.6180769999072e-3, 1.3822370304986e-10, 8.2515735006681e-12, 1.2997212954890e-10}})

-- Prothero, Robinson 1974: the solution is cos t for every lambda; HW (15.1).
add("Prothero-Robinson", {
  f = function(t, y) return {-1e6 * (y[1] - cos(t)) - sin(t)} end,
  y0 = {1}, t = 10, scale = 1, at_end = {cos(10)}})

-- Horneber 1976, a ring modulator of 15 currents and voltages with Cs = 2e-12; Bari "ringmod".
local function diode(u) return 40.67286402e-9 * (exp(17.7493332 * u) - 1) end
add("ring modulator", {
  f = function(t, y)
    local low, high = 0.5 * sin(2e3 * pi * t), 2 * sin(2e4 * pi * t)
    local a, b = diode(y[3] - y[5] - y[7] - high), diode(-y[4] + y[6] - y[7] - high)
    local c, d = diode(y[4] + y[5] + y[7] + high), diode(-y[3] - y[6] + y[7] + high)
    return {
      (y[8] - 0.5 * y[10] + 0.5 * y[11] + y[14] - y[1] / 25e3) / 1.6e-8,
      (y[9] - 0.5 * y[12] + 0.5 * y[13] + y[15] - y[2] / 25e3) / 1.6e-8,
      (y[10] - a + d) / 2e-12, (-y[11] + b - c) / 2e-12, (y[12] + a - c) / 2e-12, (-y[13] - b + d) / 2e-12,
      (-y[7] / 50 + a + b - c - d) / 1e-8, -y[1] / 4.45, -y[2] / 4.45,
      (0.5 * y[1] - y[3] - 17.3 * y[10]) / 5e-4, (-0.5 * y[1] + y[4] - 17.3 * y[11]) / 5e-4,
      (0.5 * y[2] - y[5] - 17.3 * y[12]) / 5e-4, (-0.5 * y[2] + y[6] - 17.3 * y[13]) / 5e-4,
      (-y[1] + low - 86.3 * y[14]) / 2e-3, (-y[2] - 636.3 * y[15]) / 2e-3}
  end,
  y0 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, t = 1e-3, scale = 1,
  at_end = {-0.2339057358486745e-1, -0.7367485485540825e-2, 0.2582956709291169, -0.4064465721283450,
    -0.4039455665149794, 0.2607966765422943, 0.1106761861269975, 0.2939904342435596e-6,
    -0.2840029933642329e-7, 0.7267198267264553e-3, 0.7929487196960840e-3, -0.7255283495698965e-3,
    -0.7941401968526521e-3, 0.7088495416976114e-4, 0.2390059075236570e-4}})

--- The atol of a problem at a tolerance, for each component.
function problems.atol(p, tol)
  local out = {}
  for i in ipairs(p.y0) do out[i] = tol * (type(p.scale) == "table" and p.scale[i] or p.scale) end
  return out
end

--- Largest error of y in tolerances: |error| / (atol + tol |y|), the norm in which tolerances are given.
function problems.ratio(p, y, tol)
  local worst, atol = 0, problems.atol(p, tol)
  for i, want in ipairs(p.at_end) do
    local r = math.abs(y[i] - want) / (atol[i] + tol * math.abs(want))
    worst = r <= worst and worst or r
  end
  return worst
end

return problems
