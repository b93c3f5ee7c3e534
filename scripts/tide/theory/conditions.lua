--- Consistency, order, the first condition that fails, and error constants.
--
-- Sources: Hairer, Norsett, Wanner, Solving ODEs I, II.2 and II.3 (Runge-Kutta), III.2 (multistep, (2.6) and
-- (2.13)); Hairer, Wanner, Solving ODEs II, IV.7 (Rosenbrock).

local core = require "tide.core"
local trees = require "tide.ode.trees"

local M = {}

local MOST = 10        -- the highest order of one-step methods that is looked at
local TINY = 1e-10     -- what a condition may miss by, relative to its terms

local function number(v) return ("%.10g"):format(math.abs(v) < 1e-14 and 0 or v) end

-- ---- one-step ----

local function row_sums_differ(m)
  for i = 1, m.stages do
    local sum = 0
    for _, a in ipairs(m.A[i]) do sum = sum + a end
    if math.abs(sum - m.c[i]) > 1e-10 then
      return ("order 2 for y' = f(t, y): row %d of A sums to %s, but c[%d] is %s"):format(i, number(sum), i,
        number(m.c[i]))
    end
  end
end

local function weights(m) return m.single and setmetatable({single = m.single}, {__index = m.A}) or m.A end

-- Whether the conditions of order p hold; the first that fails as text.
local function tree_condition(m, p, memo)
  for _, r in ipairs(trees.residuals(weights(m), m.b, p, memo)) do
    local right = 1 / r.tree.gamma
    if not (math.abs(r.residual) <= TINY) then
      return ("order %d, tree %s: sum %s = %s, should be %s"):format(p, r.tree.text,
        trees.formula(r.tree), number(r.residual + right), p == 1 and "1" or "1/" .. r.tree.gamma)
    end
  end
end

local function one_step_order(m)
  local memo, different = {}, row_sums_differ(m)
  for p = 1, MOST do
    local missed = tree_condition(m, p, memo) or p == 2 and different
    if missed then return p - 1, missed end
  end
  return MOST, ("none up to order %d"):format(MOST)
end

-- ---- multistep ----

-- sum a_j j^q - q b_j j^(q-1), and the sum of the sizes of its terms.
local function defect(m, q)
  local sum, size = 0, 0
  for j = 0, #m.alpha - 1 do
    local power = j == 0 and (q == 0 and 1 or 0) or j ^ q
    local before = q == 0 and 0 or q == 1 and 1 or j == 0 and 0 or j ^ (q - 1)
    local a, b = m.alpha[j + 1] * power, q * m.beta[j + 1] * before
    sum, size = sum + a - b, size + math.abs(a) + math.abs(b)
  end
  return sum, size
end

local function multistep_condition(m, q)
  local sum, size = defect(m, q)
  if math.abs(sum) <= TINY * size then return nil end
  local text = q == 0 and "sum a_j" or q == 1 and "sum j a_j - b_j" or q == 2 and "sum j^2 a_j - 2 j b_j"
    or ("sum j^%d a_j - %d j^%d b_j"):format(q, q, q - 1)
  return ("%s: %s = %s, should be 0"):format(q == 0 and "consistency" or ("order %d"):format(q), text,
    number(sum))
end

local function multistep_order(m)
  local most = 2 * #m.alpha -- Dahlquist: never more than 2 k
  for q = 0, most do
    local missed = multistep_condition(m, q)
    if missed then return math.max(0, q - 1), missed end
  end
  return most, ("none up to order %d"):format(most)
end

local function multistep_constant(m, p)
  local sigma, factorial = 0, 1
  for _, b in ipairs(m.beta) do sigma = sigma + b end
  for q = 2, p + 1 do factorial = factorial * q end
  if math.abs(sigma) < TINY then
    core.raise("theory.error_constant: the sum of the b_j is 0, so the method is not zero-stable and has no "
      .. "error constant")
  end
  return defect(m, p + 1) / factorial / sigma
end

-- ---- all ----

local order_of, constant_of = {}, {}
order_of["one-step"], order_of.multistep = one_step_order, multistep_order

-- The predictor's error enters times h (Lambert, Numerical Methods for Ordinary Differential Systems, 4.3).
function order_of.pece(m)
  local p, missed = multistep_order(m.corrector)
  local q, before = multistep_order(m.predictor)
  if q + 1 < p then return q + 1, "predictor, " .. before end
  return p, "corrector, " .. missed
end

function order_of.linear(m)
  return m.order, ("order %d: the error of a step of y' = lambda y is of the order h^%d"):format(m.order + 1,
    m.order + 1)
end

constant_of["one-step"] = function(m, p)
  local different = row_sums_differ(m)
  if different then core.raise("theory.error_constant: " .. different) end
  return trees.error_constant(weights(m), m.b, p)
end
constant_of.multistep = multistep_constant

function constant_of.pece(m, p)
  if order_of.multistep(m.predictor) < p then
    core.raise("theory.error_constant: the predictor's error counts as much as the corrector's here, so no "
      .. "single number is the error constant")
  end
  return multistep_constant(m.corrector, p)
end

function constant_of.linear(m)
  core.raise(("theory.error_constant: %s is not a formula in y alone, so it has no single error constant")
    :format(m.name))
end

--- Order of a formula, and the first condition that fails as text.
function M.order(m) return order_of[m.kind](m) end

--- The error constant of a formula of order p >= 1.
function M.error_constant(m)
  local p = M.order(m)
  if p < 1 then
    core.raise(("theory.error_constant: %s is not consistent (%s)"):format(m.name, select(2, M.order(m))))
  end
  return constant_of[m.kind](m, p)
end

--- Is it consistent? If not, the condition that fails.
function M.consistent(m)
  local p, missed = M.order(m)
  if p >= 1 then return true end
  return false, missed
end

return M
