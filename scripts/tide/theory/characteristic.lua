--- What a method makes of y' = lambda y: a recurrence in y_n whose coefficients are polynomials in z = h
-- lambda. All of linear stability follows from its characteristic polynomial
--
--   sum_j p_j(z) zeta^j = 0,   one-step: Q(z) zeta - P(z) with R = P / Q;   multistep: p_j = a_j - z b_j
--
-- Sources: Hairer, Wanner, Solving ODEs II, IV.3 (R = det(I - zA + z 1 b^T) / det(I - zA)), V.1; predictor
-- and corrector: Lambert, Numerical Methods for Ordinary Differential Systems, 4.4.

local roots = require "tide.theory.roots"

local M = {}

local ROUNDING = 0x1p-46 -- of a coefficient, relative to the terms that it is the sum of: counts as 0

local function is_lower(A, s)
  for i = 1, s do for j = i + 1, s do if (A[i][j] or 0) ~= 0 then return false end end end
  return true
end

-- det(I - zA) of a lower triangular matrix.
local function product_of_diagonal(A, s)
  local q = {1.0}
  for i = 1, s do
    local d = A[i][i] or 0
    if d ~= 0 then
      q[#q + 1] = 0.0
      for j = #q, 2, -1 do q[j] = q[j] - d * q[j - 1] end
    end
  end
  return q
end

-- det(I - zA) by Faddeev and LeVerrier: M_k = A M_(k-1) + q_k I, q_(k+1) = -trace(A M_k) / k.
local function faddeev(A, s)
  local q, B, norm = {1.0}, {}, 0.0
  for i = 1, s do
    local row = 0.0
    B[i] = {}
    for j = 1, s do B[i][j], row = i == j and 1.0 or 0.0, row + math.abs(A[i][j] or 0) end
    norm = math.max(norm, row)
  end
  for k = 1, s do
    local C, trace = {}, 0.0
    for i = 1, s do
      C[i] = {}
      for j = 1, s do
        local sum = 0.0
        for l = 1, s do sum = sum + (A[i][l] or 0) * B[l][j] end
        C[i][j] = sum
      end
      trace = trace + C[i][i]
    end
    q[k + 1] = math.abs(trace) <= ROUNDING * norm ^ k and 0.0 or -trace / k
    for i = 1, s do C[i][i] = C[i][i] + q[k + 1] end
    B = C
  end
  return q
end

-- b^T A^(k-1) 1 for k = 1 .. s: what R has in its Taylor series.
local function moments(A, b, s)
  local v, out, sizes = {}, {}, {}
  for i = 1, s do v[i] = 1.0 end
  for k = 1, s do
    local sum, size, w = 0.0, 0.0, {}
    for i = 1, s do
      sum, size, w[i] = sum + b[i] * v[i], size + math.abs(b[i] * v[i]), 0.0
    end
    for i = 1, s do for j = 1, #A[i] do w[i] = w[i] + A[i][j] * v[j] end end
    out[k], sizes[k], v = sum, size, w
  end
  return out, sizes
end

local function trimmed(p)
  while #p > 1 and p[#p] == 0 do p[#p] = nil end
  return p
end

local function one_step(m)
  local A, s = m.single or m.A, m.stages
  local q = is_lower(A, s) and product_of_diagonal(A, s) or faddeev(A, s)
  local series, sizes = moments(A, m.b, s)
  local p = {}
  for k = 0, s do
    local sum, size = q[k + 1] or 0.0, math.abs(q[k + 1] or 0.0)
    for j = 1, k do
      local weight = q[k - j + 1] or 0.0
      sum, size = sum + weight * series[j], size + math.abs(weight) * sizes[j]
    end
    p[k + 1] = math.abs(sum) <= ROUNDING * size and 0.0 or sum
  end
  for k = 1, #p do p[k] = -p[k] end
  return {trimmed(p), trimmed(q)}
end

local function multistep(m)
  local out = {}
  for j = 1, #m.alpha do out[j] = trimmed{m.alpha[j], -m.beta[j]} end
  return out
end

-- The corrector with its new f at the predicted y.
local function pece(m)
  local a, b, out = m.corrector.alpha, m.corrector.beta, {}
  local c, d = m.predictor.alpha, m.predictor.beta
  local k = math.max(#a, #c)
  local function get(list, j) return list[j - k + #list] or 0.0 end -- by distance from the new y
  local new = b[#b]
  for j = 1, k - 1 do
    out[j] = trimmed{get(a, j), new * get(c, j) / c[#c] - get(b, j), -new * get(d, j) / c[#c]}
  end
  out[k] = {a[#a]}
  return out
end

local function linear(m)
  local out = {}
  for j, p in ipairs(m.characteristic) do
    out[j] = {}
    for i = 1, #p do out[j][i] = p[i] + 0.0 end
  end
  return out
end

local kinds = {["one-step"] = one_step, multistep = multistep, pece = pece, linear = linear}

--- The polynomials p_0 .. p_k of a formula, each a list of coefficients from z^0 on.
function M.of(m) return kinds[m.kind](m) end

local function value(p, zr, zi)
  local x, y = p[#p], 0.0
  for j = #p - 1, 1, -1 do x, y = x * zr - y * zi + p[j], x * zi + y * zr end
  return x, y
end

--- The coefficients of the polynomial in zeta at z: lists of real and imaginary parts.
function M.at(p, zr, zi)
  local cr, ci = {}, {}
  for j = 1, #p do cr[j], ci[j] = value(p[j], zr, zi) end
  return cr, ci
end

--- The highest power of z.
function M.degree(p)
  local most = 0
  for j = 1, #p do most = math.max(most, #p[j] - 1) end
  return most
end

-- The polynomial in zeta as z grows: the coefficients of the highest power.
local function at_infinity(p)
  local c, top = {}, M.degree(p) + 1
  for j = 1, #p do c[j] = p[j][top] or 0.0 end
  return c
end

local function hypot(x, y)
  if x == math.huge or y == math.huge then return math.huge end
  return math.sqrt(x * x + y * y)
end

local function largest_of(zr, zi)
  local most = 0.0
  for k = 1, #zr do most = math.max(most, hypot(zr[k], zi[k])) end
  return most
end

--- The largest modulus of a root zeta at z. state: a table that neighbouring calls share, which makes them
-- faster.
function M.largest(p, zr, zi, state)
  if #p == 2 then
    local ar, ai = value(p[1], zr, zi)
    local br, bi = value(p[2], zr, zi)
    local below = hypot(br, bi)
    return below == 0 and math.huge or hypot(ar, ai) / below
  end
  local cr, ci = M.at(p, zr, zi)
  local xr, xi = roots.find(cr, ci, state and state[1] and state)
  if state then state[1], state[2] = xr, xi end
  return largest_of(xr, xi)
end

--- The same as z goes to infinity.
function M.largest_at_infinity(p) return largest_of(roots.real(at_infinity(p))) end

--- The roots zeta at z = 0.
function M.roots_at_zero(p)
  local c = {}
  for j = 1, #p do c[j] = p[j][1] end
  return roots.real(c)
end

--- The roots z of sum_j p_j(z) zeta^j for a given zeta (its real and imaginary part), one for each power of z
-- (math.huge: at infinity).
function M.points(p, xr, xi, from)
  local top = M.degree(p)
  local cr, ci = {}, {}
  for k = 1, top + 1 do cr[k], ci[k] = 0.0, 0.0 end
  local power_r, power_i = 1.0, 0.0
  for j = 1, #p do
    for k = 1, #p[j] do
      cr[k], ci[k] = cr[k] + p[j][k] * power_r, ci[k] + p[j][k] * power_i
    end
    power_r, power_i = power_r * xr - power_i * xi, power_r * xi + power_i * xr
  end
  local size = 0
  for k = 1, top + 1 do size = math.max(size, math.abs(cr[k]), math.abs(ci[k])) end
  local lead = top + 1 -- what is left of a leading coefficient that should vanish
  if math.abs(cr[lead]) + math.abs(ci[lead]) < 1e-15 * size then cr[lead], ci[lead] = 0.0, 0.0 end
  return roots.find(cr, ci, from)
end

--- Poles of zeta: the z at which the leading coefficient vanishes.
function M.poles(p) return roots.real(p[#p]) end

return M
