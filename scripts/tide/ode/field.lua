--- Right-hand sides of odeint, by kind: recorded once, C, or Lua at each evaluation (eager, plain).
--
-- Each function solves with a field of its kind: from the flat state, times and checked options to the flat
-- states at the times, and the statistics; with the option `stepping` to a stepper.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local events = require "tide.ode.events"
local options = require "tide.base.options"
local quadrature = require "tide.ode.quadrature"
local states = require "tide.ode.state"
local steps = require "tide.ode.steps"
local tolerances = require "tide.ode.tolerances"
local tree = require "tide.base.tree"
local updates = require "tide.tensor.updates"

local M = {}
local raise, is_tensor, show = core.raise, tree.is_tensor, options.show

-- ---- statistics ----

-- Counts of a solve that is only being recorded: they come with each run. A compiled function returns them as
-- they are after the run.
local function live_statistics(handle)
  local function now()
    local stats = handle()
    if stats.nfe == 0 and not stats.failure then
      raise("odeint: the statistics of a recorded solve are known after it has run; return them from the "
        .. "compiled function")
    end
    return stats
  end
  return setmetatable({}, {__index = function(_, key) return now()[key] end,
                           __pairs = function() return pairs(now()) end, __snapshot = handle})
end

local function counted(solution, stats)
  autodiff._count(stats)
  return solution, stats
end

-- A solve that was run, or recorded, with its statistics.
local function with_statistics(solution, handle, state)
  local function read() return events.finish(state, handle()) end
  if core.is_symbolic(solution) then return solution, live_statistics(read) end
  return counted(solution, read())
end

-- ---- recorded ----

local NO_UPDATES = "running statistics cannot leave a solve, which evaluates the field more often than there "
  .. "are batches; in a field take nn.group_norm, nn.layer_norm, nn.spectral_norm with exact = true, or call "
  .. "the model with {training = false}"

local explaining = autodiff._explaining(", or, in a field, solve with eager = true")

function M.recorded(f, state, y0, times, o)
  local hint <close> = explaining -- luacheck: ignore hint
  local tape <close> = core.tape_begin("field")
  local stays <close> = updates.refuse(NO_UPDATES) -- luacheck: ignore stays
  -- weak: it takes the state's dtype when it meets the state, not before
  local t = tape:input("float64", {}, state.dtype == "float32")
  local y = tape:input(state.dtype, {y0:numel()})
  local z = states.unflatten(state, y)
  local dy = states.check_derivative("odeint", state, f(t, z), "")
  dy = quadrature.derivative("odeint", state, o, dy, t, z, "")
  if not core.is_symbolic(dy) then dy = dy + y * 0 end -- a constant field
  if o.events then events.record(o, o.events, state, t, y) end
  tape:finish()
  local solution, handle = core.odeint(tape, dy, y0, times, o, state.engine_sizes or state.sizes,
    state.batch)
  if o.stepping then return solution end
  return with_statistics(solution, handle, state)
end

-- ---- C ----

--- What cfield.lua knows of f, nil where f is no C field.
function M.code(f)
  local meta = getmetatable(f)
  return type(meta) == "table" and rawget(meta, "__cfield") or nil
end

function M.c(f, state, y0, times, o)
  local c = M.code(f)
  local theta = c.parameters("odeint", f, state)
  local solution, handle = core.odeint_cfield(c.code, theta, y0, times, o, state.sizes, state.batch)
  if o.stepping then return solution end
  return with_statistics(solution, handle, state)
end

-- ---- Lua at each evaluation ----

function M.eager(f, state, y0, times, o)
  if core.is_recording() then
    raise("odeint: an eager field cannot become part of a recording (inside tide.grad, tide.compile, ...) "
      .. "and has no gradient; leave out eager = true, or solve outside of the recorded function and pass "
      .. "the result in")
  end
  local evaluations, kept = 0, {}
  local guard <close> = states.with_numbers_of(state.dtype) -- luacheck: ignore guard
  local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
  local function wrapped(t, flat)
    local within <close> = states.within_solve(kept) -- luacheck: ignore within
    evaluations = evaluations + 1
    local y = states.unflatten(state, flat)
    local dy = f(t, y)
    local when = (" at t = %.6g (evaluation %d)"):format(t, evaluations)
    dy = states.check_derivative("odeint", state, dy, when)
    return quadrature.derivative("odeint", state, o, dy, t, y, when)
  end
  if o.events then events.call(o, o.events, state) end
  local solution, stats = core.odeint_callback(wrapped, false, y0, times, o,
    state.engine_sizes or state.sizes, state.batch)
  if o.stepping then return solution end
  return counted(solution, events.finish(state, stats))
end

--- The state is an array of numbers here, and not flat yet; the states are {#times, n}.
function M.plain(f, y0, times, o)
  if type(y0) ~= "table" and not is_tensor(y0) then
    raise("odeint: with plain = true y0 must be an array of numbers, got " .. show(y0))
  end
  local start = is_tensor(y0) and y0:to("float64"):reshape{-1} or core.tensor_from(y0, "float64")
  if start:rank() ~= 1 then raise("odeint: with plain = true y0 must be a flat array of numbers") end
  local n = start:numel()
  if n > 0 then
    local state = states.describe("odeint", start)
    tolerances.of_state("odeint", state, o)
    steps.of_state("odeint", state, o, true)
  end
  local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
  local shape, size = nil, 0
  if o.quadrature then f, start, shape, size = quadrature.plain("odeint", f, o, start, times) end
  if o.events then events.call(o, o.events) end
  local sizes = size > 0 and {n, size} or {n}
  if o.stepping then start = start:clone() end
  local flat, stats = core.odeint_callback(f, true, start, times, o, sizes, 0)
  if o.stepping then return flat, {sizes = {n}, dtype = "float64"} end
  counted(flat, events.finish(nil, stats))
  local ys = flat:reshape{times:numel(), n + size}
  if not shape then return ys, stats end
  for _, event in ipairs(stats.events or {}) do event.y = event.y:slice(1, 1, n) end
  return ys:slice(2, 1, n), stats, ys:slice(2, n + 1, n + size):reshape{times:numel(), table.unpack(shape)}
end

return M
