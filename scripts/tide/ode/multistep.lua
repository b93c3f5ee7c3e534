--- Linear multistep methods that a user types in, {alpha = {a_0 .. a_k}, beta = {b_0 .. b_k}}:
--
--   sum_j a_j y_(n+j) = h sum_j b_j f_(n+j)
--
-- Source: Hairer, Norsett, Wanner, Solving ODEs I, III.2 (order) and III.3 (root condition).

local core = require "tide.core"
local options = require "tide.base.options"

local M = {}
local raise = core.raise

local MOST_STEPS = 8
local MOST_GROWTH = 1e6
local ROUNDING = 1e-10 -- of an order condition, relative to its terms

-- What is left of the condition of order q, relative to its terms: sum_j a_j j^q = q sum_j b_j j^(q-1).
local function residual(alpha, beta, q)
  local sum, size = 0, 0
  for j = 0, #alpha - 1 do
    local a = alpha[j + 1] * (j ^ q) -- 0^0 is 1
    local b = q == 0 and 0 or q * beta[j + 1] * (j ^ (q - 1))
    sum, size = sum + a - b, math.max(size, math.abs(a), math.abs(b))
  end
  return size == 0 and 0 or math.abs(sum) / size
end

--- The order that the coefficients reach; -1: not even the values agree.
function M.order(alpha, beta)
  local q = 0
  while q <= 2 * #alpha and residual(alpha, beta, q) < ROUNDING do q = q + 1 end
  return q - 1
end

-- ---- the root condition ----

-- The largest that a start of size 1 becomes in n steps of y' = 0.
local function growth(alpha, n)
  local k, largest = #alpha - 1, 0
  for first = 1, k do
    local y = {}
    for j = 1, k do y[j] = j == first and 1 or 0 end
    for i = k + 1, k + n do
      local sum = 0
      for j = 1, k do sum = sum - alpha[j] * y[i - k + j - 1] end
      y[i] = sum / alpha[k + 1]
      largest = math.max(largest, math.abs(y[i]))
      if largest > MOST_GROWTH then return largest end
    end
  end
  return largest
end

--- Do the roots of sum_j a_j zeta^j lie in the unit disc, those on its edge simple? Then and only then
-- nothing
-- grows in the steps of y' = 0, over however many.
function M.zero_stable(alpha)
  local early, late = growth(alpha, 200), growth(alpha, 800)
  return late < MOST_GROWTH and late <= 1.5 * early, late
end

-- ---- the check ----

local spec = {
  name = {"string"}, alpha = {"table", required = true}, beta = {"table", required = true},
  order = {"integer"}, unstable = {"boolean"},
}

local function numbers(where, name, list, n)
  for i = 1, n do
    local v = list[i]
    if type(v) ~= "number" or not options.finite(v) then
      raise(("%s: %s[%d] must be a finite number, got %s"):format(where, name, i, options.show(v)))
    end
  end
end

-- Steps in which nothing but zeros comes first are none.
local function trimmed(alpha, beta)
  local first = 1
  while first < #alpha - 1 and alpha[first] == 0 and beta[first] == 0 do first = first + 1 end
  return table.move(alpha, first, #alpha, 1, {}), table.move(beta, first, #beta, 1, {})
end

local function check_order(where, m, alpha, beta)
  local order = M.order(alpha, beta)
  if order < 1 then
    raise(("%s: it is not consistent: %s"):format(where, order < 0 and "alpha must sum to 0"
      or "the sum of j alpha_j must be that of beta, which is not 0"))
  end
  if m.order and m.order ~= order then
    raise(("%s: order = %d was stated, but it is %d"):format(where, m.order, order))
  end
  return order
end

--- Check a user's method. Returns it so that a_k is 1, with its order and its number of steps. One that is
-- not
-- zero-stable, whose errors grow from step to step however small the steps are, has to say `unstable = true`.
function M.check(where, t)
  local m = options.check(where, t, spec, 3)
  local n = #m.alpha
  if n ~= #m.beta then
    raise(("%s: alpha and beta must have as many entries (a_0 .. a_k, b_0 .. b_k), got %d and %d"):format(
      where, n, #m.beta))
  end
  if n < 2 or n > MOST_STEPS + 1 then
    raise(("%s: alpha must have 2 to %d entries (1 to %d steps), got %d"):format(where, MOST_STEPS + 1,
      MOST_STEPS, n))
  end
  numbers(where, "alpha", m.alpha, n)
  numbers(where, "beta", m.beta, n)
  if m.alpha[n] == 0 then
    raise(where .. ": the last entry of alpha, of the new y, must not be 0; entries begin with the oldest")
  end
  local alpha, beta = trimmed(m.alpha, m.beta)
  local order = check_order(where, m, alpha, beta)
  local stable, size = M.zero_stable(alpha)
  if not stable and not m.unstable then
    raise(("%s: it is not zero-stable: a root of sum alpha_j z^j is outside of the unit disc, or double on "
      .. "its edge, so that errors grow in every step however small it is (within 800 steps to %.3g times "
      .. "themselves or more); to watch that, add unstable = true to the method"):format(where, size))
  end
  local lead = alpha[#alpha]
  for j = 1, #alpha do alpha[j], beta[j] = alpha[j] / lead, beta[j] / lead end
  return {name = m.name or "user", family = "multistep", kind = "fixed", alpha = alpha, beta = beta,
    order = order, steps = #alpha - 1, implicit = beta[#beta] ~= 0}
end

return M
