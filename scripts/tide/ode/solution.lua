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

local hidden = setmetatable({}, {__mode = "k"}) -- of each what evaluate() reads

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
  if derivative and own.steps == 0 and own.y0:numel() > 0 then
    raise(where .. ": the solve made no step, so y has no slope")
  end
  local flat = own.path:at(core.tensor_from(list, "float64"), derivative, own.y0, own.first)
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
  local what = own.samples and ("solution of %d samples"):format(own.samples) or "solution"
  return ("%s from t = %.9g to %.9g, %d steps"):format(what, own.first, own.last, own.steps)
end

-- The accepted times of a solve, or of so many samples a list of them; how many steps these are, and where
-- the last one ends.
local function accepted_times(path, t, samples)
  local list, count, last = {}, 0, t[1]
  for i = 1, samples or 1 do
    list[i] = path:times(i) or core.tensor_from({t[1]}, "float64")
    count = count + #list[i] - 1
    local ends = list[i][#list[i]]
    if math.abs(ends - t[1]) > math.abs(last - t[1]) then last = ends end
  end
  return samples and list or list[1], count, last
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
  local start = y0
  if plain then start = is_tensor(y0) and y0:to("float64") or core.tensor_from(y0, "float64") end
  local state, leaves = states.describe(where, start)
  local samples = opts and opts.per_sample and state.shapes[1][1]
  if samples then states.by_sample(where, state) end
  local times, count, last = accepted_times(path, t, samples)
  local own = {path = path, state = state, plain = plain, samples = samples, steps = count,
    y0 = states.flatten(leaves, state):clone(), first = t[1] + 0.0, last = last + 0.0}
  if own.y0:numel() == 0 then own.last = t[2] + 0.0 end
  local sol = setmetatable({t = times, stats = stats}, Solution)
  hidden[sol] = own
  return sol
end

return M
