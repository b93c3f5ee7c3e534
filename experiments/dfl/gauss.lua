--- Suli, Mayers, exercise 12.19: the two-stage Gauss method and its stability function.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local theory = tide.theory

local s = math.sqrt(3) / 6
local typed = {A = {{1 / 4, 1 / 4 - s}, {1 / 4 + s, 1 / 4}}, b = {1 / 2, 1 / 2}, c = {1 / 2 - s, 1 / 2 + s}}

local function modulus(x, y) return math.sqrt(x * x + y * y) end

-- |(z - p)(z - q) / ((z + p)(z + q))|, p, q = -3 +- i sqrt 3
local function factored(x, y)
  local w = math.sqrt(3)
  return modulus(x + 3, y - w) * modulus(x + 3, y + w) / (modulus(x - 3, y - w) * modulus(x - 3, y + w))
end

-- One step of y' = z y by solving the two equations for k_1, k_2, as the exercise does.
local function one_step(x)
  local a, b = 1 - x * typed.A[1][1], -x * typed.A[1][2]
  local c, d = -x * typed.A[2][1], 1 - x * typed.A[2][2]
  local det = a * d - b * c
  local k1, k2 = x * (d - b) / det, x * (a - c) / det
  return 1 + (k1 + k2) / 2
end

local function evidence(o, report)
  local cells, worst, largest = {}, 0, 0
  for i, z in ipairs{{-0.1, 0}, {-1, 0}, {-1, 2}, {-10, 0}, {0, 1}, {0, 100}, {-1000, 5}} do
    local R = theory.stability(typed, z)
    cells[i] = {("%g %+gi"):format(z[1], z[2]), ("%.12f"):format(R), ("%.12f"):format(factored(z[1], z[2])),
      z[2] == 0 and ("%.12f"):format(math.abs(one_step(z[1]))) or ""}
  end
  report:table({"z", "|R|, tide.theory", "factored", "one step"}, cells)
  for i = 0, o.n do
    for j = 0, o.n do
      local x, y = -20 * i / o.n, -20 + 40 * j / o.n
      local R = theory.stability(typed, {x, y})
      worst = math.max(worst, math.abs(R - factored(x, y)))
      if x < 0 then largest = math.max(largest, R) end
    end
  end
  report:say("On a grid of the left half-plane: the largest |R| is %.6f, the largest difference of the two "
    .. "%.1e.",
    largest, worst)
  local p, missed = theory.order(typed)
  report:say("tide.theory.order: %d; %s.", p, missed)
  report:say("a_stable: %s, %g degrees; l_stable: %s, |R| = %g at infinity. zeros -3 +- 1.732i, poles 3 +- "
    .. "1.732i.",
    theory.a_stable(typed), select(2, theory.a_stable(typed)), tostring((theory.l_stable(typed))),
    select(2, theory.l_stable(typed)))
  local rows, grid = {}, theory.region{method = typed, re = {-8, 8}, im = {-8, 8}, n = 49}
  local re, im, value = grid.re:totable(), grid.im:totable(), grid.value:totable()
  for i = 1, #im do for j = 1, #re do rows[#rows + 1] = {re = re[j], im = im[i], value = value[i][j]} end end
  report:csv("gauss", {"re", "im", "value"}, rows)
end

dfl.run({name = "gauss", title = "The two-stage Gauss method is A-stable (Suli, Mayers 12.19)",
  options = {{"n", 60, "cells of the grid"}},
  claim = [[R(z) = 1 + z b^T (I - z A)^(-1) 1 = (1 + z/2 + z^2/12) / (1 - z/2 + z^2/12) = (z - p)(z - q) / ((z
    + p)(z + q)) with p, q = -3 +- i sqrt 3. In the left half-plane z is nearer to each zero than to the pole
    opposite, so |R| < 1: the method is A-stable.]],
  slip = [[Right; it leaves the last step to the reader: |z - p| < |z + q| because q is the conjugate of p, so
    that -q is p mirrored at the imaginary axis.]],
  evidence = evidence}, arg)
