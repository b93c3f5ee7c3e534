--- Runge-Kutta tableaus: order conditions by rooted trees, and the check of a user's own tableau.
--
-- Source: Hairer, Norsett, Wanner, Solving ODEs I, II.2: a method has order p when sum_i b_i g_i(tree) = 1 /
-- gamma(tree) for every rooted tree with at most p nodes, where g_i of a tree with branches t_1 .. t_m is the
-- product over k of sum_j a_ij g_j(t_k).

local core = require "tide.core"
local options = require "tide.base.options"

local M = {}

-- All rooted trees with n nodes, each a list of branches in non-increasing order of their number, so that
-- none comes twice.
local function make_trees(most)
  local all, by_size = {}, {}
  local function forests(nodes, limit, branches, out)
    if nodes == 0 then
      out[#out + 1] = table.move(branches, 1, #branches, 1, {})
      return
    end
    for index = limit, 1, -1 do
      local t = all[index]
      if t.size <= nodes then
        branches[#branches + 1] = t
        forests(nodes - t.size, index, branches, out)
        branches[#branches] = nil
      end
    end
  end
  for size = 1, most do
    local out = {}
    forests(size - 1, #all, {}, out)
    by_size[size] = {}
    for _, branches in ipairs(out) do
      local gamma = size
      for _, t in ipairs(branches) do gamma = gamma * t.gamma end
      by_size[size][#by_size[size] + 1] = {size = size, branches = branches, gamma = gamma}
    end
    for _, t in ipairs(by_size[size]) do all[#all + 1] = t end
  end
  return by_size
end

local trees = {}
local function trees_up_to(order)
  if #trees < order then trees = make_trees(order) end
  return trees
end

-- g_i of a tree for every stage i.
local function stage_weights(A, s, t, memo)
  if memo[t] then return memo[t] end
  local g = {}
  for i = 1, s do g[i] = 1 end
  for _, branch in ipairs(t.branches) do
    local inner = stage_weights(A, s, branch, memo)
    for i = 1, s do
      local sum = 0
      for j = 1, #(A[i] or {}) do sum = sum + A[i][j] * inner[j] end
      g[i] = g[i] * sum
    end
  end
  memo[t] = g
  return g
end

--- Largest violation of the conditions of exactly order p by weights b.
function M.residual(A, b, order)
  local worst, memo = 0, {}
  for _, t in ipairs(trees_up_to(order)[order]) do
    local g, sum = stage_weights(A, #b, t, memo), 0
    for i = 1, #b do sum = sum + b[i] * g[i] end
    worst = math.max(worst, math.abs(sum - 1 / t.gamma))
  end
  return worst
end

--- The order that weights b reach with matrix A (up to `most`, default 8), and the residual of the first
-- order missed.
function M.order(A, b, most, tolerance)
  for p = 1, most or 8 do
    local r = M.residual(A, b, p)
    if r > (tolerance or 1e-10) then return p - 1, r end
  end
  return most or 8, 0
end

--- Number of rooted trees with n nodes (1, 1, 2, 4, 9, 20, 48, 115, ...).
function M.count(n) return #trees_up_to(n)[n] end

local spec = {
  name = {"string"}, A = {"table", required = true}, b = {"table", required = true},
  c = {"table", required = true}, b_error = {"table"},
  order = {"integer", required = true, check = options.between(1, 8)},
}

local function check_numbers(where, name, list, n)
  if #list ~= n then core.raise(("%s: %s must have %d entries, got %d"):format(where, name, n, #list)) end
  for i, v in ipairs(list) do
    if type(v) ~= "number" or not options.finite(v) then
      core.raise(("%s: %s[%d] must be a finite number, got %s"):format(where, name, i, options.show(v)))
    end
  end
end

-- Row i of A without the zeros on and above the diagonal, filled up with zeros below it.
local function explicit_row(where, row, i, m)
  if type(row) ~= "table" then
    core.raise(("%s: A must have %d rows (one per stage, the first may be empty), row %d is missing"):format(
      where, #m.b, i))
  end
  local out, sum = {}, 0
  for j = 1, math.max(#row, i - 1) do
    local v = j > #row and 0 or row[j]
    if type(v) ~= "number" or not options.finite(v) then
      core.raise(("%s: A[%d][%d] must be a finite number, got %s"):format(where, i, j, options.show(v)))
    end
    if j >= i and v ~= 0 then
      core.raise(("%s: A[%d][%d] is not zero, so the method is implicit; only explicit methods are "
        .. "supported"):format(where, i, j))
    end
    if j < i then out[j] = v end
    sum = sum + v
  end
  if math.abs(sum - m.c[i]) > 1e-12 then
    core.raise(("%s: row %d of A sums to %.15g, but c[%d] is %.15g"):format(where, i, sum, i, m.c[i]))
  end
  return out
end

local function check_order(where, A, m)
  local reached, residual = M.order(A, m.b, m.order, 1e-10)
  if reached < m.order then
    core.raise(("%s: order %d was stated, but the order conditions hold only up to order %d (order %d is "
      .. "violated by %.3g)"):format(where, m.order, reached, reached + 1, residual))
  end
end

-- The order of the embedded method, 0 where there is none.
local function error_order(where, A, m)
  if not m.b_error then return 0 end
  check_numbers(where, "b_error", m.b_error, #m.b)
  local embedded, size = {}, 0
  for i, e in ipairs(m.b_error) do embedded[i], size = m.b[i] - e, size + math.abs(e) end
  if size == 0 then
    core.raise(where .. ": b_error is zero everywhere, so it estimates nothing; leave it out for a "
      .. "fixed-step method")
  end
  local order = math.min(M.order(A, embedded, m.order, 1e-10), m.order - 1)
  if order < 1 then
    core.raise(("%s: the embedded method b - b_error has no order (its weights must sum to 1); b_error "
      .. "must sum to 0"):format(where))
  end
  return order
end

--- Check a user's tableau {A=, b=, c=, b_error=, order=}: explicit, row sums equal c, and the order
-- conditions of its stated order. b_error is b minus the weights of the embedded method. Returns it with its
-- error order filled in.
function M.check(where, t)
  local m, A = options.check(where, t, spec, 3), {}
  check_numbers(where, "b", m.b, #m.b)
  check_numbers(where, "c", m.c, #m.b)
  for i = 1, #m.b do A[i] = explicit_row(where, m.A[i], i, m) end
  check_order(where, A, m)
  return {A = A, b = m.b, c = m.c, b_error = m.b_error, order = math.tointeger(m.order),
    error_order = error_order(where, A, m), name = m.name or "user"}
end

return M
