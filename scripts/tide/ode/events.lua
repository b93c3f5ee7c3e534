--- Events of odeint: zeros of functions g(t, y) along a solve. See help("events").

local core = require "tide.core"
local options = require "tide.base.options"
local shown = require "tide.base.show"
local states = require "tide.ode.state"
local tree = require "tide.base.tree"

local M = {}
local raise, is_tensor, show = core.raise, tree.is_tensor, options.show

-- ---- what a user gives ----

local spec = {
  g = {"any"},
  direction = {"integer", default = 0, check = options.within(-1, 1)},
  terminal = {"boolean|integer", default = false},
  name = {"string"},
  apply = {"any"},
}

local function is_callable(f)
  local meta = getmetatable(f)
  return type(f) == "function" or type(meta) == "table" and meta.__call ~= nil
end

local function check_one(where, given)
  if type(given) ~= "table" or is_callable(given) then
    raise(("%s must be a table {g = function(t, y) ... end, ...}, got %s"):format(where, show(given)))
  end
  local o = options.check(where, given, spec, 4)
  if not is_callable(o.g) then
    raise(("%s: g must be a function g(t, y), got %s"):format(where, show(o.g)))
  end
  if o.apply ~= nil and not is_callable(o.apply) then
    raise(("%s: apply must be a function apply(t, y), got %s"):format(where, show(o.apply)))
  end
  if o.terminal == true then o.terminal = 1 end
  if not o.terminal then o.terminal = 0
  elseif o.terminal < 1 then
    raise(("%s: terminal must be true, false or the number, from 1, of the event that ends the solve, got %d")
      :format(where, o.terminal))
  end
  if o.name and #o.name > 31 then
    raise(("%s: name has more than 31 bytes: %s"):format(where, show(o.name)))
  end
  return o
end

--- The list, checked; nil where there is none.
function M.check(where, list)
  if list == nil then return nil end
  if is_callable(list) or list.g ~= nil then
    raise(("%s: events must be a list, as in events = {{g = function(t, y) ... end}}"):format(where))
  end
  local rows, n = {}, #list
  for key in pairs(list) do
    if math.type(key) ~= "integer" or key < 1 or key > n then
      raise(("%s: events must be a list, it has the key %s"):format(where, show(key)))
    end
  end
  for i = 1, n do rows[i] = check_one(("%s: event %d"):format(where, i), list[i]) end
  return n > 0 and rows or nil
end

-- ---- their functions, as the engine takes them ----

local function called(i, row)
  return ("event %d"):format(i) .. (row.name and (" (%s)"):format(row.name) or "")
end

-- A number or a tensor of one element, as it is.
local function check_value(i, row, g)
  if type(g) == "number" or is_tensor(g) and g:numel() == 1 then return g end
  local got = is_tensor(g) and ("a tensor of shape {%s}"):format(table.concat(g:shape(), ", ")) or show(g)
  raise(("odeint: g of %s must return a number or a scalar tensor, got %s%s"):format(called(i, row), got,
    g == nil and "; does it end with return?" or is_tensor(g) and "; reduce it, as g:sum() or g:min()" or ""))
end

-- The same for each of n samples, as a column; one that does not depend on y is that of all.
local function check_values(i, row, g, n)
  local shape = is_tensor(g) and g:shape() or {}
  local count = is_tensor(g) and g:numel() or type(g) == "number" and 1
  if count == n and (shape[1] == n or n == 1) then return g:to("float64"):reshape{n, 1} end
  if count ~= 1 then
    raise(("odeint: with per_sample = true g of %s gets the whole batch and must return one number for each "
      .. "of its %d samples, got %s%s"):format(called(i, row), n,
      is_tensor(g) and ("a tensor of shape {%s}"):format(table.concat(shape, ", ")) or show(g),
      g == nil and "; does it end with return?" or ""))
  end
  if not is_tensor(g) then return core.full({n, 1}, g, "float64") end
  return g:to("float64"):reshape{1, 1}:broadcast_to{n, 1}
end

-- All g as one flat tensor that depends on y; n: for each of so many samples; of_all: none differs from
-- sample to sample.
local function join_values(values, y, n, of_all)
  local joined = #values == 1 and values[1] or core.apply("cat", {n and 1 or 0}, table.unpack(values))
  if n and of_all then
    joined = joined + (y:reshape{n, y:numel() // n}:sum(2):reshape{n, 1} * 0):to("float64")
  end
  if not core.is_symbolic(joined) then joined = joined + (y:sum() * 0):to("float64") end
  return n and joined:reshape{-1} or joined
end

local function rules_of(rows)
  local rules = {}
  for i, row in ipairs(rows) do
    rules[i] = {direction = row.direction, terminal = row.terminal, name = row.name}
  end
  return rules
end

-- What apply returned, flat, and behind it what stood behind the state before.
local function change(i, row, state, before, y, detail)
  local flat = states.check_derivative("odeint", state, y, detail, "apply of " .. called(i, row))
  if not state.extra then return flat end
  return states.join(state, flat, states.behind(state, before))
end

--- Record them beside a field, on its tape: t and the flat y are its inputs.
function M.record(o, rows, state, t, y)
  local values, n, of_all = {}, o.per_sample and state.shapes[1][1], true
  o.event_rules = rules_of(rows)
  for i, row in ipairs(rows) do
    local g = row.g(t, states.unflatten(state, y))
    if n then
      values[i] = check_values(i, row, g, n)
      of_all = of_all and not (is_tensor(g) and g:numel() == n)
    else
      g = check_value(i, row, g)
      values[i] = is_tensor(g) and g:to("float64"):reshape{1} or core.full({1}, g, "float64")
    end
    if row.apply then
      local flat = change(i, row, state, y, row.apply(t, states.unflatten(state, y)), "")
      o.event_rules[i].apply = core.is_symbolic(flat) and flat or flat + y * 0
    end
  end
  o.event_values = join_values(values, y, n, of_all)
end

local function number_of(g) return type(g) == "number" and g or g:item() end

--- Functions that run at each look, of what f gets; state is nil where that is an array of numbers (plain).
function M.call(o, rows, state)
  local n = #rows
  local function shaped(y) return state and states.unflatten(state, y) or y end
  o.event_rules = rules_of(rows)
  function o.event_values(t, y)
    local values = {}
    for i, row in ipairs(rows) do values[i] = number_of(check_value(i, row, row.g(t, shaped(y)))) end
    return table.unpack(values, 1, n)
  end
  for i, row in ipairs(rows) do
    local apply = row.apply
    o.event_rules[i].apply = apply and state and function(t, y)
      return change(i, row, state, y, apply(t, shaped(y)), (" at t = %.6g"):format(t))
    end or apply
  end
end

-- ---- what happened ----

--- The statistics with the states of their events as the user knows them; print shows them and their parts.
-- state is nil where that is an array of numbers (plain).
function M.finish(state, stats)
  for _, event in ipairs(stats.events and shown.printable(stats.events) or {}) do
    event.y = state and (event.sample and states.unflatten_sample or states.unflatten)(state, event.y)
      or event.y
    shown.printable(event)
  end
  return shown.printable(stats)
end

return M
