--- Solving initial value problems dy/dt = f(t, y).

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local divergences = require "tide.ode.divergence"
local fields = require "tide.ode.field"
local methods = require "tide.ode.methods"
local ode_options = require "tide.ode.options"
local options = require "tide.base.options"
local quadrature = require "tide.ode.quadrature"
local solutions = require "tide.ode.solution"
local states = require "tide.ode.state"
local steps = require "tide.ode.steps"
local tableau = require "tide.ode.tableau"
local tolerances = require "tide.ode.tolerances"
local tree = require "tide.base.tree"

local M = {}
local raise, is_tensor, show = core.raise, tree.is_tensor, options.show

--- See help("ode.methods").
M.methods = methods.list

--- See help("ode.check_options").
M.check_options = ode_options.check

--- See help("ode.smallest_rtol").
M.smallest_rtol = core.smallest_rtol

-- A strictly monotone 1-D float64 tensor of times. Those of a tensor are checked when the solve runs: in a
-- recording they may change.
local function check_times(where, t)
  if is_tensor(t) then
    if t:rank() ~= 1 then
      raise(("%s: t must be 1-D, got shape {%s}"):format(where, table.concat(t:shape(), ", ")))
    end
    if #t < 2 then raise(("%s: t needs two or more times, got %d"):format(where, #t)) end
    return t:to("float64") -- the engine looks at their values at each run
  end
  if type(t) ~= "table" then
    raise(("%s: t must be a table or a 1-D tensor of times, got %s"):format(where, show(t)))
  end
  if #t < 2 then raise(("%s: t needs two or more times, got %d"):format(where, #t)) end
  for i, v in ipairs(t) do
    if type(v) ~= "number" then
      raise(("%s: t[%d] must be a finite number, got %s"):format(where, i, show(v)))
    end
  end
  local times = core.tensor_from(t, "float64")
  core.check_times(times)
  return times
end

local function check_field(where, f)
  local meta = getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise(("%s: f must be a function f(t, y), got %s"):format(where, show(f)))
  end
end

M._check_field = check_field

-- The states that a multistep method begins with, where they are given.
local function give_start(state, o)
  if type(o.start) ~= "table" then return end
  local count = core.multistep_past(o.method, type(o.method) == "string" and o.order or nil)
  o.start_states = states.flatten_start("odeint", state, o.start, count)
end

local function check_given(f, t, opts)
  check_field("odeint", f)
  if opts ~= nil and type(opts) ~= "table" then
    if type(t) == "number" and type(opts) == "number" then
      raise(("odeint(f, y0, t, opts): t is a table or a 1-D tensor of times; write {%s, %s}"):format(t, opts))
    end
    raise(options.no_table("odeint", opts, {method = true}))
  end
  if opts and (opts.eager or opts.plain) and fields.code(f) then
    raise(("odeint: eager and plain are for Lua functions, f is a C field; leave out %s = true"):format(
      opts.eager and "eager" or "plain"))
  end
end

-- With plain = true.
local function solve_plain(f, y0, t, opts, inner)
  local o = ode_options.check("odeint", opts, "float64")
  methods.check_state("odeint", o.method, y0)
  if type(o.start) == "table" then
    local list = {}
    for i, y in ipairs(o.start) do list[i] = is_tensor(y) and y or core.tensor_from(y, "float64") end
    local state = {shapes = {{is_tensor(y0) and y0:numel() or #y0}}, dtype = "float64"}
    o.start = list
    give_start(state, o)
  end
  for name, value in pairs(inner or {}) do o[name] = value end
  return fields.plain(f, y0, check_times("odeint", t), o)
end

-- odeint; inner: options that are not a user's. With inner.stepping the results are a stepper and the state's
-- description.
local function solve(f, y0, t, opts, inner)
  check_given(f, t, opts)
  if opts and opts.plain then return solve_plain(f, y0, t, opts, inner) end
  local state, leaves = states.describe("odeint", y0)
  local o = ode_options.check("odeint", opts, state.dtype)
  o.part_names = state.names
  methods.check_state("odeint", o.method, y0, state)
  for name, value in pairs(inner or {}) do o[name] = value end
  if o.per_sample then states.by_sample("odeint", state, o.quadrature) end
  give_start(state, o)
  tolerances.of_state("odeint", state, o)
  local times = check_times("odeint", t)
  local start, n = states.flatten(leaves, state), times:numel()
  if o.quadrature then state, start = quadrature.extend("odeint", state, o, start, times) end
  steps.of_state("odeint", state, o)
  local run = fields.code(f) and not (o.events or o.quadrature) and fields.c or o.eager and fields.eager
    or fields.recorded
  if o.stepping then return run(f, state, start:clone(), times, o), state end
  local solution, stats = run(f, state, start, times, o)
  local flat, integral = quadrature.split(state, solution, n)
  return states.unflatten_times(state, flat, n), stats, integral
end

--- ys, stats, q = odeint(f, y0, t, opts): see help("tide.odeint").
function M.odeint(f, y0, t, opts)
  local ys, stats, q = solve(f, y0, t, opts) -- no tail call: errors look for this function on the stack
  if q == nil then return ys, stats end
  return ys, stats, q
end

local function refuse_quadrature(where, opts)
  if type(opts) == "table" and opts.quadrature ~= nil then
    raise(where .. ": quadrature is an option of odeint, whose third result is the integral")
  end
end

--- sol = solution(f, y0, {t0, t1}, opts): see help("ode.solution").
function M.solution(f, y0, t, opts)
  refuse_quadrature("ode.solution", opts)
  local solution = solutions.new(solve, f, y0, t, opts)
  return solution
end

--- for step in steps(f, y0, {t0, t1}, opts) do ... end: see help("ode.steps").
function M.steps(f, y0, t, opts)
  refuse_quadrature("ode.steps", opts)
  local iterator = steps.iterate(solve, f, y0, t, opts)
  return iterator
end

-- The options of odeint for M.event, and where the solve ends at the latest.
local function event_options(where, opts, g)
  if opts ~= nil and type(opts) ~= "table" then
    raise(("%s: options must be a table, got %s"):format(where, show(opts)))
  end
  local o = {}
  for key, value in pairs(opts or {}) do o[key] = value end
  ode_options.check_names(where, o, {"direction", "max_time"})
  local last = o.max_time
  if last ~= nil and (type(last) ~= "number" or not options.finite(last)) then
    raise(("%s: max_time must be a finite number, got %s"):format(where, show(last)))
  end
  if o.events ~= nil then raise(where .. ": g is the event; for more of them take odeint with events") end
  if o.quadrature ~= nil then
    raise(where .. ": quadrature is an option of odeint; there an event can end the solve")
  end
  if o.on_failure == "return" and not o.per_sample then
    raise(where .. ': a failure leaves nothing to return; leave out on_failure = "return", or call it in '
      .. "tide.attempt")
  end
  if o.steps and not last then
    raise(where .. ": steps = n divides the time until max_time: give max_time, or step_size")
  end
  o.events = {{g = g, direction = o.direction, terminal = true}}
  o.max_time, o.direction = nil, nil
  return o, last
end

-- t0 and the end as the times of a solve.
local function event_times(where, t0, last)
  if is_tensor(t0) and t0:numel() == 1 then
    return core.apply("cat", {0}, t0:to("float64"):reshape{1}, core.tensor_from({last}, "float64"))
  end
  if type(t0) ~= "number" then
    raise(("%s: t0 must be a number or a scalar tensor, got %s"):format(where, show(t0)))
  end
  return core.tensor_from({t0, last}, "float64")
end

--- t, y, stats = event(f, y0, t0, g, opts): see help("ode.event").
function M.event(f, y0, t0, g, opts)
  local where = "event"
  check_field(where, f)
  local given, last = event_options(where, opts, g)
  local times = event_times(where, t0, last or math.huge)
  if given.plain then
    local o = ode_options.check(where, given, "float64")
    o.ends_at_event = true
    local ys, stats = fields.plain(f, y0, times, o)
    return core.full({}, stats.t_end, "float64"), ys[2], stats
  end
  local state, leaves = states.describe(where, y0)
  local o = ode_options.check(where, given, state.dtype)
  o.part_names, o.ends_at_event = state.names, true
  if o.per_sample then states.by_sample(where, state) end
  tolerances.of_state(where, state, o)
  steps.of_state(where, state, o)
  local flat = states.flatten(leaves, state)
  local n, samples = flat:numel(), o.per_sample and state.shapes[1][1]
  local solution, stats = (o.eager and fields.eager or fields.recorded)(f, state, flat, times, o)
  local t = o.eager and core.full({}, stats.t_end, "float64")
    or solution:slice(1, 2 * n + 1, 2 * n + (samples or 1)):reshape{samples or nil}
  return t, states.unflatten(state, solution:slice(1, n + 1, 2 * n):to(state.dtype)), stats
end

local function check_initial_step(where, given)
  for _, name in ipairs{"t0", "p", "rtol", "atol"} do
    local v = given[name]
    if v == nil then raise(where .. ": arguments are f, t0, y0, p, rtol, atol") end
    if type(v) ~= "number" or not options.finite(v) then
      raise(("%s: %s must be a finite number, got %s"):format(where, name, show(v)))
    end
  end
  local rtol, atol, p = given.rtol, given.atol, given.p
  if rtol < 0 or atol < 0 or rtol + atol == 0 then
    raise(where .. ": rtol and atol must be >= 0 and not both 0")
  end
  if p < 0 then raise(("%s: p must be >= 0, got %s"):format(where, show(p))) end
end

--- Hairer's starting step (Solving ODEs I, p. 169) for an error estimate of order p: sc = atol + rtol |y0| in
-- the root-mean-square norm, exponent 1/(p+1), not capped by any span. f runs on concrete tensors.
function M.initial_step(f, t0, y0, p, rtol, atol)
  local where = "initial_step"
  check_field(where, f)
  check_initial_step(where, {t0 = t0, p = p, rtol = rtol, atol = atol})
  local state, leaves = states.describe(where, y0)
  local guard <close> = states.with_numbers_of(state.dtype) -- luacheck: ignore guard
  if core.is_recording() then
    raise(where .. ": it runs f on concrete tensors, which cannot become part of a recording; call it "
      .. "outside")
  end
  local function evaluate(t, flat)
    return states.check_derivative(where, state, f(t, states.unflatten(state, flat)), "")
  end
  local h = core.initial_step(evaluate, t0, states.flatten(leaves):clone(), p, rtol, atol)
  if not options.finite(h) then raise(("%s: NaN or Inf in y0 or f near t = %g"):format(where, t0)) end
  return h
end

--- See help("ode.divergence").
M.divergence = divergences.divergence

--- counted(fn, ...) -> statistics, what fn(...) returns: see help("tide.ode.counted").
M.counted = autodiff._counted

--- A field in C: see help("ode.cfield").
function M.cfield(path, symbol, opts) return require("tide.ode.cfield").cfield(path, symbol, opts) end

M.tableau = tableau

return M
