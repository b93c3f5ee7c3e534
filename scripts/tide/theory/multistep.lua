--- Coefficients of linear multistep methods, exact: sum a_j y_(n+j) = h sum b_j f_(n+j), j = 0 .. k, with
-- the sum of the b_j equal to 1.
--
-- Source: Hairer, Norsett, Wanner, Solving ODEs I, III.1: Adams methods by backward differences with the
-- coefficients gamma_j (1.7), gamma*_j (1.11'), backward differentiation formulas (1.22').

local M = {}

local function gcd(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a < 0 and -a or a
end

-- Fractions {n, d} of integers; all that occur here are far from overflow (k <= 8).
local function fraction(n, d)
  local g = gcd(n, d)
  return {n // g, d // g}
end
local function add(a, b) return fraction(a[1] * b[2] + b[1] * a[2], a[2] * b[2]) end
local function times(a, b) return fraction(a[1] * b[1], a[2] * b[2]) end

-- Weights of u_(k-m), m = 0 .. k, in sum_j c_j (backward difference)^j u_k, by place: [j + 1] is of u_j.
local function from_differences(c, k)
  local out = {}
  for j = 0, k do out[j + 1] = {0, 1} end
  for j, weight in pairs(c) do
    local binomial = 1
    for m = 0, j do
      local place = k - m + 1
      out[place] = add(out[place], times(weight, {m % 2 == 0 and binomial or -binomial, 1}))
      binomial = binomial * (j - m) // (m + 1)
    end
  end
  return out
end

-- gamma_0 .. gamma_(n-1); `implicit`: the starred ones.
local function adams_weights(n, implicit)
  local c = {}
  for j = 0, n - 1 do
    c[j] = {(implicit and j > 0) and 0 or 1, 1}
    for m = 0, j - 1 do c[j] = add(c[j], times(c[m], {-1, j + 1 - m})) end
  end
  return c
end

local function adams_alpha(k)
  local alpha = {}
  for j = 0, k do alpha[j + 1] = {j == k and 1 or j == k - 1 and -1 or 0, 1} end
  return alpha
end

local exact = {}

function exact.adams_bashforth(order)
  local beta = from_differences(adams_weights(order, false), order - 1) -- of f_0 .. f_(k-1)
  beta[order + 1] = {0, 1}
  return adams_alpha(order), beta
end

function exact.adams_moulton(order)
  local k = math.max(1, order - 1)
  return adams_alpha(k), from_differences(adams_weights(order, true), k)
end

function exact.bdf(order)
  local c, beta = {}, {}
  for j = 1, order do c[j] = {1, j} end
  for j = 0, order do beta[j + 1] = {j == order and 1 or 0, 1} end
  return from_differences(c, order), beta
end

function exact.leapfrog() return {{-1, 2}, {0, 1}, {1, 2}}, {{0, 1}, {1, 1}, {0, 1}} end

--- By name: {lowest and highest order, order unless told}.
M.orders = {adams_bashforth = {1, 8, 2}, adams_moulton = {1, 8, 2}, bdf = {1, 6, 2}, leapfrog = {2, 2, 2}}

--- exact(name, order) -> alpha, beta as lists of fractions {numerator, denominator}, lowest subscript first.
function M.exact(name, order) return exact[name](order) end

--- The same as numbers.
function M.coefficients(name, order)
  local alpha, beta = exact[name](order)
  for j = 1, #alpha do alpha[j], beta[j] = alpha[j][1] / alpha[j][2], beta[j][1] / beta[j][2] end
  return alpha, beta
end

return M
