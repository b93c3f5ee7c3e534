--- A solve as a function of time. See help("ode.solution").

local core = require "tide.core"
local options = require "tide.base.options"
local states = require "tide.ode.state"
local steps = require "tide.ode.steps"
local tree = require "tide.base.tree"

local M = {}
local raise, is_tensor, show = core.raise, tree.is_tensor, options.show

local Solution = {}
Solution.__index = Solution
Solution.__name = "tide.Solution"

local hidden = setmetatable({}, {__mode = "k"}) -- of each: path, state, plain, y0, times

-- A number as a list of one; a list or a tensor of times as numbers within the span. The second result: it
-- was one number.
local function times_of(where, own, t)
  local one = type(t) == "number" or is_tensor(t) and t:rank() == 0
  if is_tensor(t) then
    if core.is_symbolic(t) then raise(where .. ": t must be numbers, got a tensor that is being recorded") end
    if t:rank() > 1 then
      raise(("%s: t must be a number or 1-D, got shape {%s}"):format(where, table.concat(t:shape(), ", ")))
    end
    t = one and t:item() or t:to("float64"):totable()
  elseif type(t) ~= "number" and type(t) ~= "table" then
    raise(("%s: t must be a number or a 1-D tensor of times, got %s"):format(where, show(t)))
  end
  local list = one and {t} or {}
  if not one then
    for i = 1, #t do list[i] = t[i] end
    if next(t, #t > 0 and #t or nil) ~= nil then raise(where .. ": t must be a list of times") end
  end
  for i, v in ipairs(list) do list[i] = steps.within(where, v, own.first, own.last) end
  return list, one
end

local function evaluate(where, self, t, derivative)
  local own = hidden[self]
  if not own then raise(("%s: call it on a solution, as sol(t) and sol:derivative(t)"):format(where)) end
  if core.is_recording() then
    raise(where .. ": a solution holds numbers, which no derivative passes; inside a recording use "
      .. "tide.odeint")
  end
  local list, one = times_of(where, own, t)
  local flat
  if own.steps > 0 then
    flat = #list > 0 and own.path:at(core.tensor_from(list, "float64"), derivative)
      or core.full({0}, 0, own.state.dtype)
  else
    flat = own.empty(#list, derivative)
  end
  if own.plain then
    return one and flat:totable() or flat:reshape{#list, flat:numel() // math.max(1, #list)}
  end
  return one and states.unflatten(own.state, flat) or states.unflatten_times(own.state, flat, #list)
end

--- sol(t): y at a time, or at each of several.
function Solution:__call(t) return evaluate("solution", self, t, false) end

--- sol:derivative(t): the slope of y there.
function Solution:derivative(t) return evaluate("solution:derivative", self, t, true) end

function Solution:__tostring()
  local own = hidden[self]
  return ("solution from t = %.9g to %.9g, %d steps"):format(own.first, own.last, own.steps)
end

--- Solve by solve(f, y0, t, opts, inner) and keep the steps.
function M.new(solve, f, y0, t, opts)
  local where = "ode.solution"
  if core.is_recording() then
    raise(where .. ": a solution holds numbers, which no derivative passes; inside a recording use "
      .. "tide.odeint")
  end
  t = steps.check_span(where, t)
  local plain = type(opts) == "table" and opts.plain
  local path = core.solve_path()
  local _, stats = solve(f, y0, t, opts, {path_handle = path})
  local times = path:times() or core.tensor_from({t[1]}, "float64")
  local start = plain and not is_tensor(y0) and core.tensor_from(y0, "float64") or y0
  local state, leaves = states.describe(where, start)
  local own = {path = path, state = state, plain = plain, steps = #times - 1, first = times[1],
               last = times[#times]}
  if own.steps == 0 then
    local y = states.flatten(leaves):clone()
    if y:numel() == 0 then own.last = t[2] + 0.0 end
    function own.empty(n, derivative)
      if derivative and y:numel() > 0 then raise(where .. ": the solve made no step, so y has no slope") end
      return core.full({n, 1}, 1, state.dtype):matmul(y:reshape{1, y:numel()}):reshape{-1}
    end
  end
  local sol = setmetatable({t = times, stats = stats}, Solution)
  hidden[sol] = own
  return sol
end

return M
