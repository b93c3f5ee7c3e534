--- Root condition, A-stability, angles and intervals of stability.
--
-- Source: Hairer, Wanner, Solving ODEs II, IV.3, V.1, V.2.

local characteristic = require "tide.theory.characteristic"

local M = {}

local BOUND = 1 + 1e-10     -- a modulus up to here counts as 1
local CLOSE = 1e-5          -- roots nearer than this are a multiple root, known to the root of rounding only

--- The root condition: all roots of rho within the unit circle, those on it simple. Returns whether it holds,
-- and the roots {re, im, modulus}, largest first.
function M.root_condition(p)
  local zr, zi = characteristic.roots_at_zero(p)
  local list, stable = {}, true
  for k = 1, #zr do
    local modulus = math.sqrt(zr[k] ^ 2 + zi[k] ^ 2)
    local multiple = false
    for j = 1, #zr do
      if j ~= k and (zr[k] - zr[j]) ^ 2 + (zi[k] - zi[j]) ^ 2 < CLOSE ^ 2 then multiple = true end
    end
    if modulus > (multiple and 1 - CLOSE or BOUND) then stable = false end
    list[k] = {zr[k], zi[k], modulus}
  end
  table.sort(list, function(a, b)
    if math.abs(a[3] - b[3]) > 1e-12 then return a[3] > b[3] end
    if a[1] ~= b[1] then return a[1] > b[1] end
    return a[2] > b[2]
  end)
  return stable, list
end

-- ---- sectors ----

-- The largest modulus on the ray z = -r exp(i phi) at r = exp(s).
local function on_ray(p, phi, state)
  local x, y = -math.cos(phi), math.sin(phi)
  if phi == 0.5 * math.pi then x = 0.0 end
  return function(s)
    local r = math.exp(s)
    return characteristic.largest(p, r * x, r * y, state)
  end
end

local GOLDEN = 0.5 * (math.sqrt(5) - 1)

-- The largest value of g between a and b, where it has one maximum.
local function maximum(g, a, b)
  local c, d = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
  local gc, gd = g(c), g(d)
  for _ = 1, 60 do
    if gc > gd then
      b, d, gd = d, c, gc
      c = b - GOLDEN * (b - a)
      gc = g(c)
    else
      a, c, gc = c, d, gd
      d = a + GOLDEN * (b - a)
      gd = g(d)
    end
    if b - a < 1e-9 then break end
  end
  return math.max(gc, gd)
end

local LOW, HIGH, SAMPLES = math.log(1e-3), math.log(1e5), 320

-- Samples along the ray first: where one is too large, that is the answer. Between them, at the local maxima,
-- it may still be.
local function ray_is_stable(p, phi)
  local g, step, values = on_ray(p, phi, {}), (HIGH - LOW) / SAMPLES, {}
  for i = 0, SAMPLES do
    values[i] = g(LOW + i * step)
    if not (values[i] <= BOUND) then return false end
  end
  for i = 1, SAMPLES - 1 do
    local peak = values[i] >= values[i - 1] and values[i] >= values[i + 1] and values[i] > 0.5
    if peak and not (maximum(g, LOW + (i - 1) * step, LOW + (i + 1) * step) <= BOUND) then return false end
  end
  return true
end

-- The smallest angle to the negative axis of a pole in the left half-plane.
local function pole_angle(p)
  local zr, zi = characteristic.poles(p)
  local least = math.huge
  for k = 1, #zr do
    if zr[k] < 0 then least = math.min(least, math.atan(math.abs(zi[k]), -zr[k])) end
  end
  return least
end

-- A sector that is open to the left is stable when it holds no pole and its two edges are stable, infinity
-- included: the modulus has no maximum inside (it is subharmonic).
local function largest_sector(p)
  local right = 0.5 * math.pi
  local most = math.min(right, pole_angle(p))
  if characteristic.largest_at_infinity(p) > BOUND or not ray_is_stable(p, 0) then return 0 end
  if most == right and ray_is_stable(p, right) then return right end
  local low, high = 0, most
  for _ = 1, 40 do
    local middle = 0.5 * (low + high)
    if ray_is_stable(p, middle) then low = middle else high = middle end
    if high - low < 1e-9 then break end
  end
  return low
end

--- Is y_n bounded for all z in the left half-plane? If not, within how many degrees of the negative axis.
function M.a_stable(p)
  if not M.root_condition(p) then return false, 0.0 end
  local angle = largest_sector(p)
  if angle == 0.5 * math.pi then return true, 90.0 end
  return false, math.deg(angle)
end

-- ---- intervals ----

-- How far the direction (x, y) stays stable from 0 on; a modulus up to `bound` counts as 1.
local function reach(p, x, y, bound)
  local state = {}
  local function modulus(r) return characteristic.largest(p, r * x, r * y, state) end
  local inside, step = 0.0, 1 / 64
  while modulus(inside + step) <= bound do
    inside = inside + step
    if inside > 1000 then return math.huge end
    if inside > 64 * step then step = 2 * step end
  end
  local outside = inside + step
  for _ = 1, 60 do
    local middle = 0.5 * (inside + outside)
    if modulus(middle) <= bound then inside = middle else outside = middle end
  end
  -- growth like r^m from 0 on, which the bound hides at first
  return (inside < 1e-9 or modulus(0.7 * inside) > 1 + 5e-15) and 0.0 or inside
end

--- Lengths of the intervals of stability from 0 along the negative and along the imaginary axis.
function M.intervals(p)
  if not M.root_condition(p) then return 0.0, 0.0 end
  return reach(p, -1, 0, 1), reach(p, 0, 1, 1 + 1e-12)
end

return M
