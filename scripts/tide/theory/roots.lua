--- Roots of polynomials with complex coefficients.

local M = {}

local NEAR = 1e-20      -- square of a relative change after which one more round is at rounding
local SOON = 10         -- rounds from the roots of a neighbour; a pair that splits may stay symmetric
local MOST_ROUNDS = 200

-- The polynomial and its derivative at z, by Horner's rule; coefficients ascending from 1.
local function at(cr, ci, n, zr, zi)
  local pr, pi, dr, di = cr[n + 1], ci[n + 1], 0.0, 0.0
  for j = n, 1, -1 do
    dr, di = dr * zr - di * zi + pr, dr * zi + di * zr + pi
    pr, pi = pr * zr - pi * zi + cr[j], pr * zi + pi * zr + ci[j]
  end
  return pr, pi, dr, di
end

-- Where to look first: around a circle of the geometric mean of the roots, off the axes.
local function first_guess(cr, ci, n)
  local zr, zi = {}, {}
  local low, high = cr[1] ^ 2 + ci[1] ^ 2, cr[n + 1] ^ 2 + ci[n + 1] ^ 2
  local radius = (low / high) ^ (0.5 / n)
  for k = 1, n do
    local angle = 2 * math.pi * (k - 1) / n + 0.4
    zr[k], zi[k] = radius * math.cos(angle), radius * math.sin(angle)
  end
  return zr, zi
end

-- One round of Aberth's method: Newton's step for each root, with the others divided out. Returns the largest
-- change, relative.
local function improve(cr, ci, n, zr, zi)
  local largest = 0
  for k = 1, n do
    local x, y = zr[k], zi[k]
    local pr, pi, dr, di = at(cr, ci, n, x, y)
    local size = dr * dr + di * di
    if (pr ~= 0 or pi ~= 0) and size > 0 then
      local wr, wi = (pr * dr + pi * di) / size, (pi * dr - pr * di) / size
      local sr, si = 0.0, 0.0
      for j = 1, n do
        local ar, ai = x - zr[j], y - zi[j]
        local d = ar * ar + ai * ai
        if d > 0 then sr, si = sr + ar / d, si - ai / d end
      end
      local br, bi = 1 - (wr * sr - wi * si), -(wr * si + wi * sr)
      local b = br * br + bi * bi
      local ur, ui = (wr * br + wi * bi) / b, (wi * br - wr * bi) / b
      zr[k], zi[k] = x - ur, y - ui
      largest = math.max(largest, (ur * ur + ui * ui) / (x * x + y * y + 1e-300))
    end
  end
  return largest
end

local function sqrt(x, y)
  local size = math.sqrt(x * x + y * y)
  local a, b = math.sqrt(0.5 * (size + math.abs(x))), 0.0
  if a > 0 then b = 0.5 * y / a end
  if x >= 0 then return a, b end
  return math.abs(b), y < 0 and -a or a
end

-- The larger root without cancellation, the other one from their product.
local function quadratic(cr, ci)
  local ar, ai, br, bi = cr[3], ci[3], -0.5 * cr[2], -0.5 * ci[2]
  local dr, di = sqrt(br * br - bi * bi - (ar * cr[1] - ai * ci[1]), 2 * br * bi - ar * ci[1] - ai * cr[1])
  if br * dr + bi * di < 0 then dr, di = -dr, -di end
  local qr, qi = br + dr, bi + di
  local a, q = ar * ar + ai * ai, qr * qr + qi * qi
  return {(qr * ar + qi * ai) / a, (cr[1] * qr + ci[1] * qi) / q},
    {(qi * ar - qr * ai) / a, (ci[1] * qr - cr[1] * qi) / q}
end

-- Rounds until nothing moves; whether that came about.
local function iterate(cr, ci, n, zr, zi, most)
  for _ = 1, most do
    if improve(cr, ci, n, zr, zi) < NEAR then
      improve(cr, ci, n, zr, zi)
      return true
    end
  end
  return false
end

-- A polynomial of degree n > 0 with neither root 0 nor infinity.
local function find_finite(cr, ci, n, from)
  if n == 1 then
    local size = cr[2] * cr[2] + ci[2] * ci[2]
    return {-(cr[1] * cr[2] + ci[1] * ci[2]) / size}, {-(ci[1] * cr[2] - cr[1] * ci[2]) / size}
  end
  if n == 2 then return quadratic(cr, ci) end
  if from and #from[1] == n and iterate(cr, ci, n, from[1], from[2], SOON) then return from[1], from[2] end
  local zr, zi = first_guess(cr, ci, n)
  iterate(cr, ci, n, zr, zi, MOST_ROUNDS)
  return zr, zi
end

--- The roots of sum_j (cr[j+1] + i ci[j+1]) z^j, by Aberth's method (Ehrlich 1967, Aberth 1973): lists of
-- their real and imaginary parts. A leading coefficient of 0 is a root at infinity (math.huge, 0). from: the
-- roots {re, im} of a polynomial near this one, which are written over.
function M.find(cr, ci, from)
  local n, low, infinite = #cr - 1, 1, 0
  while n > 0 and cr[n + 1] == 0 and ci[n + 1] == 0 do n, infinite = n - 1, infinite + 1 end
  while low <= n and cr[low] == 0 and ci[low] == 0 do low = low + 1 end
  local zeros = low - 1
  if zeros > 0 then cr, ci, n = {table.unpack(cr, low, n + 1)}, {table.unpack(ci, low, n + 1)}, n - zeros end
  local zr, zi = {}, {}
  if n > 0 then zr, zi = find_finite(cr, ci, n, infinite + zeros == 0 and from or nil) end
  for _ = 1, zeros do table.insert(zr, 0.0) table.insert(zi, 0.0) end
  for _ = 1, infinite do table.insert(zr, math.huge) table.insert(zi, 0.0) end
  return zr, zi
end

--- Of a polynomial with real coefficients: its real roots have no imaginary part.
function M.real(c)
  local ci = {}
  for j = 1, #c do ci[j] = 0.0 end
  local zr, zi = M.find(c, ci)
  for k = 1, #zr do if math.abs(zi[k]) < 1e-14 * math.abs(zr[k]) then zi[k] = 0.0 end end
  return zr, zi
end

return M
