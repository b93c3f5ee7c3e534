--- Solving initial value problems dy/dt = f(t, y).

local core = require "tide.core"
local options = require "tide.base.options"
local autodiff = require "tide.tensor.autodiff"
local tree = require "tide.base.tree"
local tensor = require "tide.tensor"
local tableau = require "tide.ode.tableau"
local methods = require "tide.ode.methods"
local ode_options = require "tide.ode.options"

local M = {}
local raise, is_tensor, show = core.raise, tree.is_tensor, options.show

--- See help("ode.methods").
M.methods = methods.list

--- See help("ode.check_options").
M.check_options = ode_options.check

--- See help("ode.smallest_rtol").
M.smallest_rtol = core.smallest_rtol

-- ---- times and states ----

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

-- "{1, 2}" of a table of numbers (the first few), or "1" of a number, else nil.
local function array_of_numbers(v)
  if type(v) == "number" then return tostring(v) end
  if type(v) ~= "table" or getmetatable(v) or rawlen(v) == 0 then return nil end
  local words = {}
  for i = 1, math.min(#v, 4) do
    if type(v[i]) ~= "number" then return nil end
    words[i] = ("%.6g"):format(v[i])
  end
  return "{" .. table.concat(words, ", ") .. (#v > 4 and ", ...}" or "}")
end

-- The state: its leaves, their shapes and sizes, and one dtype.
local function describe_state(where, y0)
  local leaves = tree.tensors(y0)
  if #leaves == 0 then
    local hint = array_of_numbers(y0)
    raise(("%s: y0 must be a tensor or a table of tensors, got %s"):format(where, hint
      and ("%s; write y0 = tide.tensor(%s), or plain = true for a "
      .. "field on Lua arrays"):format(hint, hint) or show(y0)))
  end
  if #leaves > 64 then
    raise(("%s: the state has %d tensors, at most 64 are possible; join some with tide.cat"):format(where,
      #leaves))
  end
  local state = {template = y0, shapes = {}, sizes = {}, dtype = leaves[1]:dtype()}
  if #leaves > 1 then
    state.names = {}
    tree.each(y0, function(_, path) table.insert(state.names, path) end)
  end
  for i, x in ipairs(leaves) do
    local dtype = x:dtype()
    if dtype ~= "float32" and dtype ~= "float64" then
      raise(('%s: y0 must be float32 or float64, got %s; convert with y0:to("float32")'):format(where, dtype))
    end
    if dtype ~= state.dtype then
      raise(("%s: all tensors of the state must have one dtype, got %s and %s"):format(where, state.dtype,
        dtype))
    end
    state.shapes[i], state.sizes[i] = x:shape(), x:numel()
    local batch = state.shapes[i][1]
    state.batch = (i == 1 or state.batch == batch) and batch or 0
  end
  return state, leaves
end

local function flatten(leaves)
  local flat = {}
  for i, x in ipairs(leaves) do flat[i] = x:reshape{-1} end
  return #flat == 1 and flat[1] or core.apply("cat", {0}, table.unpack(flat))
end

local function unflatten(state, flat)
  local list, at = {}, 1
  for i, shape in ipairs(state.shapes) do
    local part = #state.shapes == 1 and flat or state.sizes[i] == 0 and core.full({0}, 0, state.dtype)
      or flat:slice(1, at, at + state.sizes[i] - 1)
    list[i] = part:reshape(shape)
    at = at + state.sizes[i]
  end
  return tree.replace(state.template, list)
end

-- Solutions at n times from the flat result: {n, shape...} for each leaf.
local function unflatten_times(state, flat, n)
  local total, list, at = 0, {}, 1
  for _, size in ipairs(state.sizes) do total = total + size end
  local matrix = flat:reshape{n, total}
  for i, shape in ipairs(state.shapes) do
    local part = #state.shapes == 1 and matrix or state.sizes[i] == 0 and core.full({n, 0}, 0, state.dtype) or
      matrix:slice(2, at, at + state.sizes[i] - 1)
    list[i] = part:reshape{n, table.unpack(shape)}
    at = at + state.sizes[i]
  end
  return tree.replace(state.template, list)
end

-- What to write instead of a result that holds no tensor, or too many.
local function instead(state, dy, count)
  local one = #state.shapes == 1
  if dy == nil then return "; does f end with return?" end
  if count == 0 and type(dy) == "number" then return one and ("; write %g + 0 * y"):format(dy) or "" end
  if count == 0 and array_of_numbers(dy) then
    return "; write tide.stack{...} of its elements, or plain = true for a field on Lua arrays"
  end
  if one and count > 1 then
    return "; join them by tide.stack{...} (numbers and scalars) or tide.cat({...}, 1)"
  end
  return not one and "; return a table with the keys of y0" or ""
end

local function check_part(where, state, i, x, detail)
  local shape, wanted = table.concat(x:shape(), ", "), table.concat(state.shapes[i], ", ")
  local part = state.names and (" for y." .. state.names[i]) or ""
  if shape ~= wanted then
    local hint = x:numel() == state.sizes[i] and ("; if it is the same numbers, x:reshape{%s}"):format(wanted)
      or "; f is called as f(t, y) and returns dy/dt of every number of y"
    raise(("%s: f returned shape {%s}%s, the state has shape {%s}%s%s"):format(where, shape, part, wanted,
      detail, hint))
  end
  if core.is_weak(x) then return x:to(state.dtype) end -- of t alone
  if x:dtype() ~= state.dtype then
    raise(('%s: f returned %s%s, the state is %s%s; convert one of them with x:to("%s")'):format(where,
      x:dtype(), part, state.dtype, detail,
      state.dtype))
  end
  return x
end

-- What f returned must look like the state.
local function check_derivative(where, state, dy, detail)
  local leaves = tree.tensors(dy)
  local count = #leaves
  if count == 0 then
    raise(("%s: f must return a tensor like y, got %s%s%s"):format(where, show(dy), detail,
      instead(state, dy, 0)))
  end
  if count ~= #state.shapes then
    raise(("%s: f returned %d tensors, the state has %d%s%s"):format(where, count, #state.shapes, detail,
      instead(state, dy, count)))
  end
  for i, x in ipairs(leaves) do
    if core.is_weak(x) then leaves[i] = x:to(state.dtype) end -- of t alone
    check_part(where, state, i, leaves[i], detail)
  end
  return flatten(leaves)
end

-- ---- solving ----

local function callable(f)
  local meta = getmetatable(f)
  return type(f) == "function" or type(meta) == "table" and meta.__call ~= nil
end

-- Counts of a solve that is only being recorded: they come with each run. A compiled function returns them as
-- they are after the run.
local function live_statistics(handle)
  local function now()
    local stats = handle()
    if stats.nfe == 0 then
      raise("odeint: the statistics of a recorded solve are known after it has run; return them from the "
        .. "compiled function")
    end
    return stats
  end
  return setmetatable({}, {__index = function(_, key) return now()[key] end,
    __pairs = function() return pairs(now()) end, __snapshot = handle})
end

local explaining = autodiff._explaining(", or, in a field, solve with eager = true")

-- A solve that was run, or recorded, with its statistics.
local function with_statistics(solution, handle)
  if core.is_symbolic(solution) then return solution, live_statistics(handle) end
  local stats = handle()
  autodiff._count(stats)
  return solution, stats
end

local function solve_recorded(f, state, y0, times, o)
  local hint <close> = explaining -- luacheck: ignore hint
  local tape <close> = core.tape_begin("field")
  -- weak: it takes the state's dtype when it meets the state, not before
  local t = tape:input("float64", {}, state.dtype == "float32")
  local y = tape:input(state.dtype, {y0:numel()})
  local dy = check_derivative("odeint", state, f(t, unflatten(state, y)), "")
  if not core.is_symbolic(dy) then dy = dy + y * 0 end -- a constant field
  tape:finish()
  return with_statistics(core.odeint(tape, dy, y0, times, o, state.sizes, state.batch))
end

-- What cfield.lua knows of f, nil where f is no C field.
local function c_field(f)
  local meta = getmetatable(f)
  return type(meta) == "table" and rawget(meta, "__cfield") or nil
end

local function solve_c(c, f, state, y0, times, o)
  local theta = c.parameters("odeint", f, state)
  return with_statistics(core.odeint_cfield(c.code, theta, y0, times, o, state.sizes, state.batch))
end

-- While a field runs on concrete tensors, numbers that stand alone (y[1] of a 1-D state) become tensors of
-- the state's dtype.
local function with_numbers_of(dtype)
  local old = tensor._number_dtype(dtype)
  return setmetatable({}, {__close = function() tensor._number_dtype(old) end})
end

local function solve_eager(f, state, y0, times, o)
  local evaluations = 0
  local guard <close> = with_numbers_of(state.dtype) -- luacheck: ignore guard
  local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
  local function wrapped(t, flat)
    evaluations = evaluations + 1
    return check_derivative("odeint", state, f(t, unflatten(state, flat)),
      (" at t = %.6g (evaluation %d)"):format(t, evaluations))
  end
  local solution, stats = core.odeint_callback(wrapped, false, y0, times, o, state.sizes, state.batch)
  autodiff._count(stats)
  return solution, stats
end

local function solve_plain(f, y0, times, o)
  if type(y0) ~= "table" and not is_tensor(y0) then
    raise("odeint: with plain = true y0 must be an array of numbers, got " .. show(y0))
  end
  local start = is_tensor(y0) and y0:to("float64"):reshape{-1} or core.tensor_from(y0, "float64")
  if start:rank() ~= 1 then raise("odeint: with plain = true y0 must be a flat array of numbers") end
  local n = start:numel()
  local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
  local flat, stats = core.odeint_callback(f, true, start, times, o, {n}, 0)
  autodiff._count(stats)
  return flat:reshape{times:numel(), n}, stats
end

--- ys, stats = odeint(f, y0, t, opts): see help("tide.odeint").
function M.odeint(f, y0, t, opts)
  if not callable(f) then raise("odeint: f must be a function f(t, y), got " .. show(f)) end
  if opts ~= nil and type(opts) ~= "table" then
    raise("odeint: options must be a table, got " .. show(opts))
  end
  local c = c_field(f)
  if c and opts and (opts.eager or opts.plain) then
    raise(("odeint: eager and plain are for Lua functions, f is a C field; leave out %s = true"):format(
      opts.eager and "eager" or "plain"))
  end
  if opts and opts.plain then
    return solve_plain(f, y0, check_times("odeint", t), M.check_options("odeint", opts, "float64"))
  end
  local state, leaves = describe_state("odeint", y0)
  local o = M.check_options("odeint", opts, state.dtype)
  o.part_names = state.names
  local times = check_times("odeint", t)
  local flat = flatten(leaves)
  local n, solution, stats = times:numel(), nil, nil
  if c then
    solution, stats = solve_c(c, f, state, flat, times, o)
  elseif o.eager then
    if core.is_recording() then
      raise("odeint: an eager field cannot become part of a recording (inside tide.grad, tide.compile, ...) "
        .. "and has no gradient; leave out "
        .. "eager = true, or solve outside of the recorded function and pass the result in")
    end
    solution, stats = solve_eager(f, state, flat, times, o)
  else
    solution, stats = solve_recorded(f, state, flat, times, o)
  end
  return unflatten_times(state, solution, n), stats
end

--- Hairer's starting step (Solving ODEs I, p. 169) for an error estimate of order p: sc = atol + rtol |y0| in
-- the root-mean-square norm, exponent 1/(p+1), not capped by any span. f runs on concrete tensors.
function M.initial_step(f, t0, y0, p, rtol, atol)
  local where = "initial_step"
  if not callable(f) then raise(where .. ": f must be a function f(t, y), got " .. show(f)) end
  for name, v in pairs{t0 = t0, p = p, rtol = rtol, atol = atol} do
    if type(v) ~= "number" or not options.finite(v) then
      raise(("%s: %s must be a finite number, got %s"):format(where, name, show(v)))
    end
  end
  if p == nil or rtol == nil or atol == nil or t0 == nil then
    raise(where .. ": arguments are f, t0, y0, p, rtol, atol")
  end
  if rtol < 0 or atol < 0 or rtol + atol == 0 then
    raise(where .. ": rtol and atol must be >= 0 and not both 0")
  end
  if p < 0 then raise(("%s: p must be >= 0, got %s"):format(where, show(p))) end
  local state, leaves = describe_state(where, y0)
  local guard <close> = with_numbers_of(state.dtype) -- luacheck: ignore guard
  if core.is_recording() then
    raise(where
      .. ": it runs f on concrete tensors, which cannot become part of a recording; call it outside")
  end
  local h = core.initial_step(
    function(t, flat) return check_derivative(where, state, f(t, unflatten(state, flat)), "") end, t0,
    flatten(leaves):clone(), p, rtol, atol)
  if not options.finite(h) then raise(("%s: NaN or Inf in y0 or f near t = %g"):format(where, t0)) end
  return h
end

--- counted(fn, ...) -> statistics, what fn(...) returns: see help("tide.ode.counted").
M.counted = autodiff._counted

--- A field in C: see help("ode.cfield").
function M.cfield(path, symbol, opts) return require("tide.ode.cfield").cfield(path, symbol, opts) end

-- For cfield.lua: a state as one flat tensor, and back.
function M._flat(where, y)
  local state, leaves = describe_state(where, y)
  return state, flatten(leaves)
end
M._unflat = unflatten

M.tableau = tableau

return M
