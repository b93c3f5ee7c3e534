--- The methods of odeint, found by name.

local core = require "tide.core"
local multistep = require "tide.ode.multistep"
local options = require "tide.base.options"
local show = require "tide.base.show"
local tableau = require "tide.ode.tableau"
local tree = require "tide.base.tree"

local M = {}

local by_name, names = {}, {}
local instead = {adams = '"abm" with an order', auto = '"rk4" or "radau5"'}
for i, m in ipairs(core.ode_methods()) do
  by_name[m.name], names[i], m.instead = m, m.name, instead[m.name]
end

--- Is it a row of the list?
function M.is_listed(method) return by_name[method.name] == method end

-- "error" and "between" are the orders of the estimate and of values between the steps.
local function list_text(rows)
  local cells = {}
  for i, m in ipairs(rows) do
    local least = m.least_order
    cells[i] = {m.name, m.family, least and least < m.order and ("%d..%d"):format(least, m.order) or m.order,
      m.error_order > 0 and m.error_order or "", m.stages, m.kind, m.implicit and "yes" or "",
      m.dense_order, m.stability}
  end
  return show.columns({"name", "family", "order", "error", "stages", "steps", "implicit", "between",
    "stability"}, cells)
end

--- List of the methods, which prints as a table: see help("ode.methods"). A multistep method has instead of a
-- tableau `begins`, the A of the one-step method that begins it; others have none.
function M.list()
  local rows = core.ode_methods()
  for _, row in ipairs(rows) do show.printable(row) end
  return setmetatable(rows, {__tostring = list_text})
end

-- What SciPy, MATLAB and others call methods that are here under another name.
local elsewhere = {
  rk45 = "dopri5", ode45 = "dopri5", rk23 = "bosh3", ode23 = "bosh3", dop853 = "dop853", dopri853 = "dop853",
  vern6 = "vern7", vern9 = "dopri8", fehlberg2 = "fehlberg21", fehlberg45 = "rkf45", rk3 = "kutta3",
  cashkarp = "cash_karp", adaptive_heun = "heun_euler", rungekutta4 = "rk4", heun2 = "heun",
  forward_euler = "euler",
}

-- The theta method; theta is the weight of the slope at the new end.
local function theta_method(where, theta)
  if type(theta) ~= "number" or not (theta >= 0 and theta <= 1) then
    core.raise(("%s: theta must be a number between 0 and 1, got %s"):format(where, options.show(theta)))
  end
  return {A = {{0, 0}, {1 - theta, theta}}, b = {1 - theta, theta}, c = {0, 1},
    order = theta == 0.5 and 2 or 1, name = "theta"}
end

-- A name with an option, {"theta", theta = 1}, as a method to look for.
local function named(where, given)
  local theta
  for key, v in pairs(given) do
    if key == "theta" and given[1] == "theta" then theta = v
    elseif key ~= 1 then
      core.raise(("%s: method {%q, ...} has no option %s"):format(where, given[1], tostring(key)))
    end
  end
  return theta and theta_method(where, theta) or given[1]
end

--- The method of that name, or a user's own tableau or multistep formula, checked: name, order, kind and
-- more. An unknown one is an error that begins with `where`. theta: of the method of that name, or nil.
function M.find(where, method, theta)
  if type(method) == "table" and type(method[1]) == "string" then method = named(where, method) end
  if theta then
    if method ~= "theta" then
      core.raise(("%s: theta is an option of the method \"theta\", not of %s"):format(where,
        type(method) == "table" and method.name or options.show(method)))
    end
    method = theta_method(where, theta)
  end
  if type(method) == "table" and (method.alpha or method.beta) then
    return multistep.check(where .. ": method", method)
  end
  if type(method) == "table" then
    local own = tableau.check(where .. ": method", method)
    own.kind = own.b_error and "adaptive" or "fixed"
    return own
  end
  if by_name[method] then return by_name[method] end
  local ours = elsewhere[tostring(method):lower()]
  if ours then
    core.raise(('%s: unknown method "%s"; what others call so, or its nearest kin, is "%s" here'):format(
      where, method, ours))
  end
  core.raise(("%s: %s"):format(where, options.unknown("method", method, names)))
end

--- A symplectic method needs a state {q = tensor, p = tensor}; `state` describes y0, nil: plain numbers.
function M.check_state(where, method, y0, state)
  local row = by_name[method]
  if not row or row.family ~= "symplectic" then return end
  local count = state and #state.shapes or 0
  local parts = count == 2 and tree.is_tensor(y0.q) and tree.is_tensor(y0.p)
  local same = parts and table.concat(state.shapes[1], " ") == table.concat(state.shapes[2], " ")
  if same then return end
  core.raise(("%s: %s takes a state {q = tensor, p = tensor} of one shape, got %s; f(t, {q =, p =}) returns "
    .. "{q = dq, p = dp}"):format(where, method, parts and ("q of shape {%s} and p of shape {%s}"):format(
    table.concat(y0.q:shape(), ", "), table.concat(y0.p:shape(), ", ")) or state and options.show(y0)
    or "numbers (plain = true)"))
end

return M
