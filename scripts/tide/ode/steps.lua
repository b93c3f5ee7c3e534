--- Accepted steps of a solve, as on_step and ode.steps see them.

local core = require "tide.core"
local events = require "tide.ode.events"
local options = require "tide.base.options"
local shown = require "tide.base.show"
local states = require "tide.ode.state"
local tree = require "tide.base.tree"

local M = {}
local raise, show = core.raise, options.show

local Step = {}
Step.__index = Step
Step.__tostring = shown.as_table

-- Of each step what reads y in it: t -> flat state, nil where the step is over.
local readers = setmetatable({}, {__mode = "k"})

--- t, which must lie between a and b; within rounding of them it is the one or the other.
function M.within(where, t, a, b)
  if type(t) ~= "number" or not options.finite(t) then
    raise(("%s: t must be a finite number, got %s"):format(where, show(t)))
  end
  local rounding = 0x1p-50 * math.max(math.abs(a), math.abs(b))
  local low, high = math.min(a, b), math.max(a, b)
  if t < low - rounding or t > high + rounding then
    raise(("%s: t = %.17g is outside of %.17g to %.17g"):format(where, t, a, b))
  end
  return math.min(math.max(t, low), high)
end

--- step:at(t): y at a time in the step.
function Step:at(t)
  local reader = readers[self]
  if not reader then raise("step:at: call it as step:at(t)") end
  t = M.within("step:at", t, self.start, self.t)
  local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
  local y = reader(t)
  if y == nil then
    raise("step:at: the step is over; look into it before the next one, or keep all with tide.ode.solution")
  end
  return y
end

--- A step from `start` to `t`: `y` is its flat state there, read(t) one in it. plain: arrays of numbers;
-- sample: the number of that which made it, where each makes its own.
function M.new(state, plain, read, start, t, h, err, y, sample)
  local function whole(flat)
    if flat == nil then return nil end
    if sample then return states.unflatten_sample(state, flat) end
    if plain and flat:numel() > state.sizes[1] then flat = flat:slice(1, 1, state.sizes[1]) end -- quadrature
    return plain and flat:totable() or states.unflatten(state, flat)
  end
  local step = setmetatable({start = start, t = t, h = h, error = err, y = whole(y), sample = sample}, Step)
  readers[step] = function(time) return whole(read(time)) end
  return step
end

--- The two times of a span, in a table.
function M.check_span(where, t)
  if tree.is_tensor(t) and not core.is_symbolic(t) and t:rank() == 1 then t = t:totable() end
  if type(t) ~= "table" or #t ~= 2 then
    raise(("%s: the span must be two times {t0, t1}, got %s"):format(where,
      type(t) == "table" and ("%d times"):format(#t) or show(t)))
  end
  return t
end

--- An iterator over the steps that solve(f, y0, t, opts, inner) makes, one at a time.
function M.iterate(solve, f, y0, t, opts)
  if core.is_recording() then
    raise("ode.steps: steps hold numbers, which no derivative passes; inside a recording use tide.odeint")
  end
  local plain = type(opts) == "table" and opts.plain
  local stepper, state = solve(f, y0, M.check_span("ode.steps", t), opts, {stepping = true})
  local count = 0
  local function following()
    local guard <close> = states.with_numbers_of(state.dtype) -- luacheck: ignore guard
    local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
    local start, ends, h, err, y, sample = stepper:next()
    if not start then return nil end
    count = count + 1
    local number = count
    return M.new(state, plain, function(time) return stepper:at(time, number) end, start, ends, h, err, y,
      sample)
  end
  local function text()
    return ("steps of a solve from t = %g to %g, %d so far; step = steps(), nil behind the last"):format(
      t[1], t[2], count)
  end
  local function read(_, key)
    if key ~= "stats" then return nil end
    return events.finish(not plain and state or nil, stepper:stats())
  end
  return setmetatable({}, {__name = "tide.Steps", __tostring = text, __call = following, __index = read})
end

--- Checked options for this state (states.describe): on_step as the engine calls it.
function M.of_state(where, state, o, plain)
  local on_step = o.on_step
  if not on_step then return end
  state = states.without_tensors(state)
  o.step_function = function(read, ...)
    local guard <close> = states.with_numbers_of(state.dtype) -- luacheck: ignore guard
    local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
    local word = on_step(M.new(state, plain, read, ...))
    if word ~= nil and word ~= "stop" then
      raise(('%s: on_step must return nothing or "stop", got %s'):format(where, show(word)))
    end
    return word == "stop"
  end
end

return M
