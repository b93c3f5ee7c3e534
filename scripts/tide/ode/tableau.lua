--- Runge-Kutta tableaus: their orders, and the check of a user's own. The order conditions are those of
-- trees.lua.

local core = require "tide.core"
local options = require "tide.base.options"
local trees = require "tide.ode.trees"

local M = {}

local most_nodes = 10 -- there are 719 such trees, and three times as many of one node more

local function check_nodes(where, name, n)
  local whole = options.integer(n)
  if whole and whole >= 1 and whole <= most_nodes then return whole end
  core.raise(("%s: %s must be an integer in 1..%d, got %s"):format(where, name, most_nodes, options.show(n)))
end

local function check_weights(where, A, b)
  options.list(where, "A", A, "table")
  options.list(where, "b", b, "number")
  for i = 1, #b do
    local name = ("A[%d]"):format(i)
    options.list(where, name, options.argument(where, name, A[i], "table"), "number")
    if #A[i] > #b then
      core.raise(("%s: %s has %d entries, but b has %d, one per stage"):format(where, name, #A[i], #b))
    end
  end
end

--- Largest violation of the conditions of exactly order p by weights b.
function M.residual(A, b, order)
  local where = "ode.tableau.residual"
  check_weights(where, A, b)
  return (trees.worst(A, b, check_nodes(where, "order", order)))
end

--- See help("ode.tableau.order").
function M.order(A, b, most, tolerance)
  local where = "ode.tableau.order"
  check_weights(where, A, b)
  if most ~= nil then most = check_nodes(where, "most", most) end
  if tolerance ~= nil then options.argument(where, "tolerance", tolerance, "number") end
  local order, residual = trees.order(A, b, most, tolerance)
  return order, residual
end

--- Number of rooted trees with n nodes (1, 1, 2, 4, 9, 20, 48, 115, ...).
function M.count(n) return #trees.with(check_nodes("ode.tableau.count", "n", n)) end

local most_coupled = 13 -- what a step of core/solver/coupled.c has room for

local spec = {
  name = {"string"}, A = {"table", required = true}, b = {"table", required = true},
  c = {"table"}, b_error = {"table"}, order = {"integer", check = options.between(1, 8)},
}

local function check_numbers(where, name, list, n)
  if #list ~= n then core.raise(("%s: %s must have %d entries, got %d"):format(where, name, n, #list)) end
  for i, v in ipairs(list) do
    if type(v) ~= "number" or not options.finite(v) then
      core.raise(("%s: %s[%d] must be a finite number, got %s"):format(where, name, i, options.show(v)))
    end
  end
end

-- Row i of A, filled up with zeros.
local function row_of(where, row, i, m)
  if type(row) ~= "table" then
    core.raise(("%s: A must have %d rows (one per stage, the first may be empty), row %d is missing"):format(
      where, #m.b, i))
  end
  local out, sum = {}, 0
  for key in pairs(row) do
    if math.type(key) ~= "integer" or key < 1 or key > #m.b then
      core.raise(("%s: A[%d][%s] is none of the %d stages"):format(where, i, tostring(key), #m.b))
    end
  end
  for j = 1, #m.b do
    local v = row[j] == nil and 0 or row[j]
    if type(v) ~= "number" or not options.finite(v) then
      core.raise(("%s: A[%d][%d] must be a finite number, got %s"):format(where, i, j, options.show(v)))
    end
    out[j], sum = v, sum + v
  end
  if math.abs(sum - m.c[i]) > 1e-12 then
    core.raise(("%s: row %d of A sums to %.15g, but c[%d] is %.15g"):format(where, i, sum, i, m.c[i]))
  end
  return out
end

local function check_order(where, A, m)
  local reached, residual = trees.order(A, m.b, m.order, 1e-10)
  if reached == 0 then core.raise(("%s: b must sum to 1, it misses that by %.3g"):format(where, residual)) end
  m.order = m.order or reached
  if reached < m.order then
    core.raise(("%s: order %d was stated, but the order conditions hold only up to order %d (order %d is "
      .. "violated by %.3g)"):format(where, m.order, reached, reached + 1, residual))
  end
end

-- Is it implicit, and are its stages one system?
local function kind_of(where, A)
  local implicit, coupled = false, false
  for i, row in ipairs(A) do
    for j = i, #A do
      implicit, coupled = implicit or row[j] ~= 0, coupled or row[j] ~= 0 and j > i
    end
  end
  if coupled and #A > most_coupled then
    core.raise(("%s: A is not triangular, so its stages are one system, of %d stages; at most %d are "
      .. "possible"):format(where, #A, most_coupled))
  end
  return implicit
end

-- The order of the embedded method, 0 where there is none.
local function error_order(where, A, m)
  if not m.b_error then return 0 end
  check_numbers(where, "b_error", m.b_error, #m.b)
  local embedded, size, sum = {}, 0, 0
  for i, e in ipairs(m.b_error) do embedded[i], size, sum = m.b[i] - e, size + math.abs(e), sum + e end
  if size == 0 then
    core.raise(where .. ": b_error is zero everywhere, so it estimates nothing; leave it out for a "
      .. "fixed-step method")
  end
  local order = M.order(A, embedded, m.order, 1e-10)
  if order < 1 then
    core.raise(("%s: b_error is b minus the weights of the embedded method, and so b_error must sum to 0, "
      .. "not %.6g"):format(where, sum))
  end
  return order
end

-- What c is unless it is given; entries that are no numbers are refused later.
local function row_sums(A, n)
  local c = {}
  for i = 1, n do
    c[i] = 0
    for _, v in ipairs(type(A[i]) == "table" and A[i] or {}) do
      if type(v) == "number" then c[i] = c[i] + v end
    end
  end
  return c
end

--- Check a user's tableau {A=, b=, c=, b_error=, order=}: row sums equal c, and the order conditions of its
-- stated order. b_error is b minus the weights of the embedded method. Returns it with its
-- error order filled in.
function M.check(where, t)
  local m, A = options.check(where, t, spec, 3), {}
  m.c = m.c or row_sums(m.A, #m.b)
  check_numbers(where, "b", m.b, #m.b)
  check_numbers(where, "c", m.c, #m.b)
  for i = 1, #m.b do A[i] = row_of(where, m.A[i], i, m) end
  check_order(where, A, m)
  local implicit = kind_of(where, A)
  return {family = implicit and "implicit" or "explicit", implicit = implicit, A = A, b = m.b, c = m.c,
    b_error = m.b_error, order = math.tointeger(m.order), error_order = error_order(where, A, m),
    name = m.name or "user"}
end

return M
