--- What the theory knows a method by: its coefficients, found by name, or as the user typed them.
--
-- A formula is one of
--   {kind = "one-step", name, stages, A, b, c, single}   `single`: A + Gamma of a Rosenbrock method
--   {kind = "multistep", name, alpha, beta}              a_0 .. a_k, b_0 .. b_k
--   {kind = "pece", name, predictor, corrector}          two multistep formulas
--   {kind = "linear", name, order, characteristic, why}  known by what it does to y' = lambda y only

local core = require "tide.core"
local methods = require "tide.ode.methods"
local multistep = require "tide.theory.multistep"
local options = require "tide.base.options"

local M = {}
local raise, show = core.raise, options.show

-- ---- typed in ----

local function numbers(where, name, list, n)
  if type(list) ~= "table" then
    raise(("%s: %s must be a list of numbers, got %s"):format(where, name, show(list)))
  end
  if n and #list ~= n then raise(("%s: %s must have %d entries, got %d"):format(where, name, n, #list)) end
  local out = {}
  for i = 1, #list do
    if type(list[i]) ~= "number" or not options.finite(list[i]) then
      raise(("%s: %s[%d] must be a finite number, got %s"):format(where, name, i, show(list[i])))
    end
    out[i] = list[i] + 0.0
  end
  return out
end

local function row_sum(row)
  local sum = 0
  for _, v in ipairs(row) do sum = sum + v end
  return sum
end

local function runge_kutta(where, given)
  local b, A, c = numbers(where, "b", given.b), {}, {}
  if #b == 0 then raise(where .. ": b is empty; a method has one stage or more") end
  if type(given.A) ~= "table" or #given.A ~= #b then
    raise(("%s: A must have %d rows, one per stage (the first may be empty), got %s"):format(where, #b,
      type(given.A) == "table" and #given.A .. " rows" or show(given.A)))
  end
  for i = 1, #b do
    A[i] = numbers(where, ("A[%d]"):format(i), given.A[i])
    if #A[i] > #b then raise(("%s: A[%d] has %d entries for %d stages"):format(where, i, #A[i], #b)) end
    c[i] = row_sum(A[i])
  end
  if given.c then c = numbers(where, "c", given.c, #b) end
  return {kind = "one-step", name = given.name or "user", stages = #b, A = A, b = b, c = c}
end

local function linear_multistep(where, given)
  local alpha = numbers(where, "alpha", given.alpha)
  local beta = numbers(where, "beta", given.beta, #alpha)
  if #alpha < 2 then
    raise(("%s: alpha = {a_0, ..., a_k} and beta need two or more entries, got %d"):format(where, #alpha))
  end
  if alpha[#alpha] == 0 then
    raise(("%s: the last entry of alpha, that of the new y, must not be 0; lists begin with the oldest y")
      :format(where))
  end
  return {kind = "multistep", name = given.name or "user", alpha = alpha, beta = beta}
end

local typed_keys = {
  runge_kutta = {A = {"table"}, b = {"table", required = true}, c = {"table"}, b_error = {"table"},
    order = {"integer"}, name = {"string"}},
  multistep = {alpha = {"table", required = true}, beta = {"table", required = true}, name = {"string"},
    order = {"integer"}, unstable = {"boolean"}},
}

-- ---- by name ----

-- y_(n+1) = P(z) y_n: two-step polynomials in the root, lowest power first, each a polynomial in z.
local only_linear = {
  alf = {{-1}, {0, -2}, {1}}, reversible_heun = {{-1}, {0, -2}, {1}},
  leapfrog_verlet = {{1}, {-2, 0, -1}, {1}}, -- z is h times a root of the system q'' = lambda^2 q
}

-- The orders are those of odeint, where it has the method.
local function order_of(where, name, given)
  local low, high, default = table.unpack(multistep.orders[name] or multistep.orders.adams_bashforth)
  for _, row in ipairs(methods.list()) do
    if row.name == name and row.default_order then
      default = math.max(low, math.min(high, row.default_order))
    end
  end
  local order = options.integer(given == nil and default or given)
  if not order or order < low or order > high then
    raise(("%s: order of %s must be in %d..%d, got %s"):format(where, name, low, high, show(given)))
  end
  return order
end

local function multistep_named(name, order, shown)
  local alpha, beta = multistep.coefficients(name, order)
  return {kind = "multistep", name = shown or ("%s, order %d"):format(name, order), alpha = alpha,
    beta = beta}
end

local by_name = {}

local function pece(where, name, given)
  local order = order_of(where, name, given)
  return {kind = "pece", name = ("%s, order %d"):format(name, order),
    predictor = multistep_named("adams_bashforth", order),
    corrector = multistep_named("adams_moulton", order)}
end

function by_name.abm(where, opts) return pece(where, "abm", opts.order) end

-- Its formula of that order with steps of one length.
function by_name.adams(where, opts) return pece(where, "adams", opts.order) end

function by_name.auto(where)
  raise(where .. ": auto changes from one method to another; ask about each of them")
end

function by_name.theta(where, opts)
  local x = opts.theta == nil and 0.5 or opts.theta
  if type(x) ~= "number" or not options.finite(x) then
    raise(("%s: theta must be a finite number, got %s"):format(where, show(x)))
  end
  return runge_kutta(where, {A = {{}, {1 - x, x}}, b = {1 - x, x}, name = ("theta = %.6g"):format(x)})
end

local function of_row(where, row)
  if only_linear[row.name] then
    return {kind = "linear", name = row.name, order = row.order, characteristic = only_linear[row.name]}
  end
  if row.alpha then return linear_multistep(where, row) end
  if not row.b then
    raise(("%s: there is no formula of %s; give its coefficients, {A =, b =} or {alpha =, beta =}"):format(
      where, row.name))
  end
  local m = runge_kutta(where, {A = row.A, b = row.b, c = row.c, name = row.name})
  if row.gamma then
    m.single = {}
    for i = 1, m.stages do
      m.single[i] = {}
      for j = 1, m.stages do m.single[i][j] = (row.A[i][j] or 0) + (row.gamma[i][j] or 0) end
    end
  end
  return m
end

local function named(where, name, opts)
  if by_name[name] then return by_name[name](where, opts) end
  if multistep.orders[name] then
    local order = order_of(where, name, opts.order)
    return multistep_named(name, order, name == "leapfrog" and name or nil)
  end
  return of_row(where, methods.find(where, name))
end

local named_keys = {order = {"integer"}, theta = {"number"}}
local takes = {theta = "theta", abm = "order", adams = "order"}
for name in pairs(multistep.orders) do takes[name] = "order" end

--- The formula of a method: a name, {name, order = k}, {"theta", theta = x}, {A =, b =, c =} or {alpha =,
-- beta =}; anything else is an error that begins with `where`.
function M.of(where, method)
  if type(method) == "string" then return named(where, method, {}) end
  if type(method) ~= "table" then
    raise(("%s: method must be a name, {name, order = k}, {A =, b =} or {alpha =, beta =}, got %s"):format(
      where, show(method)))
  end
  if type(method[1]) == "string" then
    local given = {}
    for key, value in pairs(method) do if key ~= 1 then given[key] = value end end
    options.check(where .. ": method", given, named_keys, 3)
    for key in pairs(given) do
      if takes[method[1]] ~= key then raise(("%s: %s takes no %s"):format(where, method[1], key)) end
    end
    return named(where, method[1], given)
  end
  if method.alpha ~= nil or method.beta ~= nil then
    options.check(where .. ": method", method, typed_keys.multistep, 3)
    return linear_multistep(where, method)
  end
  options.check(where .. ": method", method, typed_keys.runge_kutta, 3)
  return runge_kutta(where, method)
end

return M
