--- Derivatives: a Lua function is recorded as a tape, the engine transforms it, a program replays it.

local core = require "tide.core"
local tree = require "tide.base.tree"
local options = require "tide.base.options"
local updates = require "tide.tensor.updates"

local M = {}
local raise, is_tensor = core.raise, tree.is_tensor

local function check_function(where, fn)
  local meta = getmetatable(fn)
  if type(fn) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise(("%s: expected a function, got %s"):format(where, options.show(fn)))
  end
  return fn
end

local function check_scalar(where, y)
  if not is_tensor(y) then
    raise(("%s: the function must return a scalar tensor, got %s"):format(where, options.show(y)))
  end
  if y:numel() ~= 1 then
    raise(("%s: the function must return a scalar, got shape {%s}; reduce it, e.g. with y:sum() or y:mean()")
      :format(where, table.concat(y:shape(), ", ")))
  end
  local dtype = y:dtype()
  if dtype ~= "float32" and dtype ~= "float64" then
    raise(("%s: the function must return a float scalar, got %s"):format(where, dtype))
  end
  return y
end

-- What the solves inside of counted() did so far; nil: nobody asks.
local counter

local summed = {"nfe", "steps", "accepted", "rejected", "nfe_backward"}

--- For tide.ode: a solve has run.
function M._count(stats)
  local into = counter
  if not into then return end
  for _, key in ipairs(summed) do into[key] = into[key] + (stats[key] or 0) end
  if stats.defect then into.defect = (into.defect or 0) + stats.defect end
  into.made_again = into.made_again or stats.made_again
  if not stats.reconstruction_error then return end
  into.reconstruction_error = math.max(into.reconstruction_error or 0, stats.reconstruction_error)
end

--- For tide.ode: _counted(fn, ...) -> statistics, what fn(...) returns. The statistics are the sums over the
-- solves that ran in it.
function M._counted(fn, ...)
  check_function("tide.ode.counted", fn)
  local own, outer = {nfe = 0, steps = 0, accepted = 0, rejected = 0, nfe_backward = 0}, counter
  local guard <close> = setmetatable({}, {__close = function() -- luacheck: ignore guard
    counter = outer
    M._count(own)
  end})
  counter = own
  return own, fn(...)
end

local function run(program, inputs)
  local results = program:run(inputs)
  if counter then M._count(core.program_stats(program)) end
  return results
end

-- The values of `outputs` of a tape that has ended, given the tensors for its inputs. A pullback that is used
-- inside another recording becomes part of that one. kept: what the recording updates, nil for nothing.
local function evaluate(tape, inputs, outputs, kept)
  if core.is_recording() then return tape:inline(inputs, outputs) end
  local n = #outputs
  local targets = kept and updates.outputs(kept, outputs) or {}
  return updates.apply(targets, run(core.program(tape, outputs), inputs), n)
end

local function ones_like(y) return core.full({}, 1, y:dtype()):broadcast_to(y:shape()) end
local function alias(x) return core.apply("alias", {}, x) end

-- Emit value and gradients of fn on the tape being recorded. The parameters get fresh names (aliases), so
-- that a parameter that fn also reaches in another way does not count twice.
local function emit_gradient(where, fn, p, leaves, ...)
  local fresh = {}
  for i, x in ipairs(leaves) do fresh[i] = alias(x) end
  local y = check_scalar(where, fn(tree.replace(p, fresh, true), ...))
  return y, core.vjp(nil, {y}, {ones_like(y)}, fresh)
end

local function float_leaves(where, p)
  local leaves = tree.tensors(p, true)
  if #leaves == 0 then
    raise(("%s: the first argument must be a float tensor or a table of them, got %s"):format(where,
      is_tensor(p) and "dtype " .. p:dtype() or options.show(p)))
  end
  for _, x in ipairs(leaves) do
    if core.is_symbolic(x) and not core.is_recording() then
      raise(("%s: the first argument holds a symbolic tensor of a recording that has ended"):format(where))
    end
  end
  return leaves
end

-- Lua's own functions refuse a tensor without a word on what to write; the error is given that word on its
-- way out, the rest as it came.
local lua_functions = {sin = true, cos = true, exp = true, log = true, sqrt = true, abs = true,
  tan = "tide.sin(x) / tide.cos(x)", max = "tide.maximum(a, b)",
                       min = "tide.minimum(a, b)", floor = "where", ceil = "where", fmod = "where",
                       pow = "x ^ y"}

--- For the library: a value to be closed that explains the error of Lua's mathematical functions; `also` says
-- what else helps.
function M._explaining(also)
  return setmetatable({}, {__close = function(_, message)
    if type(message) ~= "string" then return end
    local first = message:match("^[^\n]*")
    local name = first:match("bad argument #%d+ to '([%w_]+)' %(number expected, got tide%.Tensor")
    local known = name and lua_functions[name]
    if not known or first:find("in place of math.", 1, true) then return end
    local hint = known == true and ("tide.%s(x)"):format(name) or known == "where"
      and "tide.where(condition, a, b)" or known
    error(("%s; what is being recorded works on tensors: write %s in place of math.%s%s"):format(first, hint,
      name, also or ""), 0)
  end})
end
local explaining = M._explaining()

--- value_and_grad(fn)(p, ...) -> fn(p, ...), gradient with respect to p (p's structure).
function M.value_and_grad(fn)
  check_function("tide.value_and_grad", fn)
  return function(p, ...)
    local leaves = float_leaves("tide.grad", p)
    if core.is_recording() then -- part of that recording
      local y, grads = emit_gradient("tide.grad", fn, p, leaves, ...)
      return y, tree.replace(p, grads, true)
    end
    local tape, outputs, kept
    do
      local hint <close> = explaining -- luacheck: ignore hint
      local recording <close> = core.tape_begin("once")
      local list <close> = updates.collect()
      tape, kept = recording, list
      local inputs = {}
      for i, x in ipairs(leaves) do inputs[i] = tape:input(x) end
      local y, grads = emit_gradient("tide.grad", fn, tree.replace(p, inputs, true), inputs, ...)
      outputs = {y, table.unpack(grads)}
    end
    local results = evaluate(tape, leaves, outputs, kept)
    return results[1], tree.replace(p, table.move(results, 2, #results, 1, {}), true)
  end
end

--- grad(fn)(p, ...) -> gradient of the scalar fn(p, ...) with respect to p.
function M.grad(fn)
  local both = M.value_and_grad(check_function("tide.grad", fn))
  return function(...)
    local _, g = both(...)
    return g
  end
end

local function describe(x) return ("{%s} (%s)"):format(table.concat(x:shape(), ", "), x:dtype()) end

local function check_cotangents(outputs, bars)
  if #bars ~= #outputs then
    raise(("pullback: expected %d cotangents (one per output), got %d"):format(#outputs, #bars))
  end
  for i, output in ipairs(outputs) do
    if describe(output) ~= describe(bars[i]) then
      raise(("pullback: cotangent %d must have shape %s, got %s"):format(i, describe(output),
        describe(bars[i])))
    end
  end
  return bars
end

--- vjp(fn, x) -> y, pullback; pullback(ybar) -> xbar. x and y are tensors or tables of them.
function M.vjp(fn, x)
  check_function("tide.vjp", fn)
  local leaves = float_leaves("tide.vjp", x)
  if core.is_recording() then
    local fresh = {}
    for i, leaf in ipairs(leaves) do fresh[i] = alias(leaf) end
    local y = fn(tree.replace(x, fresh, true))
    return y, function(ybar)
      return tree.replace(x, core.vjp(nil, tree.tensors(y, true), tree.tensors(ybar, true), fresh), true)
    end
  end
  local tape, y, inputs, kept = nil, nil, {}, nil
  do
    local hint <close> = explaining -- luacheck: ignore hint
    local recording <close> = core.tape_begin("once")
    local list <close> = updates.collect()
    tape, kept = recording, list
    for i, leaf in ipairs(leaves) do inputs[i] = tape:input(leaf) end
    y = fn(tree.replace(x, inputs, true))
  end
  local outputs = tree.tensors(y, true)
  local value = tree.replace(y, evaluate(tape, leaves, table.move(outputs, 1, #outputs, 1, {}), kept), true)
  local cotangents -- symbols of ybar and the gradients that follow from them, recorded at the first call
  return value, function(ybar)
    local bars = check_cotangents(outputs, tree.tensors(ybar, true))
    if not cotangents then
      local symbols = {}
      for i, output in ipairs(outputs) do symbols[i] = tape:input(output) end
      cotangents = tape:vjp(outputs, symbols, inputs)
    end
    local all = table.move(bars, 1, #bars, #leaves + 1, table.move(leaves, 1, #leaves, 1, {}))
    return tree.replace(x, evaluate(tape, all, cotangents), true)
  end
end

--- jvp(fn, x, v) -> y, dy: value and directional derivative.
function M.jvp(fn, x, v)
  check_function("tide.jvp", fn)
  local leaves, tangents = float_leaves("tide.jvp", x), tree.tensors(v, true)
  if #tangents ~= #leaves then
    raise(("tide.jvp: x has %d float tensors, the tangent has %d"):format(#leaves, #tangents))
  end
  if core.is_recording() then
    local fresh = {}
    for i, leaf in ipairs(leaves) do fresh[i] = alias(leaf) end
    local y = fn(tree.replace(x, fresh, true))
    return y, tree.replace(y, core.jvp(nil, tree.tensors(y, true), fresh, tangents), true)
  end
  local tape, y, outputs, n, kept
  do
    local hint <close> = explaining -- luacheck: ignore hint
    local recording <close> = core.tape_begin("once")
    local list <close> = updates.collect()
    tape, kept = recording, list
    local inputs, directions = {}, {}
    for i, leaf in ipairs(leaves) do inputs[i] = tape:input(leaf) end
    for i, t in ipairs(tangents) do directions[i] = tape:input(t) end
    y = fn(tree.replace(x, inputs, true))
    outputs = tree.tensors(y, true)
    n = #outputs
    local dots = tape:jvp(outputs, inputs, directions)
    table.move(dots, 1, n, n + 1, outputs)
  end
  local results = evaluate(tape, table.move(tangents, 1, #tangents, #leaves + 1,
    table.move(leaves, 1, #leaves, 1, {})), outputs, kept)
  return tree.replace(y, results, true), tree.replace(y, table.move(results, n + 1, 2 * n, 1, {}), true)
end

-- `vjp` as a method of tapes takes the tape first; the functions of core take nil for "the one being
-- recorded".

local MAX_PROGRAMS = 64

-- For second_order.lua.
M._check_function, M._float_leaves, M._emit_gradient = check_function, float_leaves, emit_gradient
M._alias, M._describe, M._run = alias, describe, run

-- What compile keeps: the results with symbolic tensors in them, and the program. The arguments are kept
-- because the cache's key holds addresses of functions and metatables, which must not be used again.
local function record(fn, arguments, leaves)
  local hint <close> = explaining -- luacheck: ignore hint
  local tape <close> = core.tape_begin("program")
  local kept <close> = updates.collect()
  local inputs = {}
  for i, x in ipairs(leaves) do inputs[i] = tape:input(x) end
  local entry = {arguments = tree.replace(arguments, inputs)}
  entry.results = table.pack(fn(table.unpack(entry.arguments, 1, arguments.n)))
  entry.outputs = tree.tensors(entry.results)
  entry.n = #entry.outputs
  entry.updates = updates.outputs(kept, entry.outputs, inputs)
  entry.program = core.program(tape, entry.outputs)
  return entry
end

local function unpack_results(entry, values)
  return table.unpack(tree.replace(entry.results, values), 1, entry.results.n)
end

-- What a recording depends on beside the arguments.
local context

--- For the library: a value to be closed; as long as it is open, compile replays only what was recorded
-- within the same `name`, and within those that are open around it.
function M._within(name)
  local outer = context
  context = (outer or "") .. name .. " "
  return setmetatable({}, {__close = function() context = outer end})
end

--- compile(fn) -> function that records fn once per structure, dtype and shape of its arguments and replays
-- it after that. Tensors in the arguments are inputs; everything else (numbers, strings, options) is part of
-- the key. Numbers and other Lua values that fn reads from outside are fixed when it is recorded; tensors
-- from outside, and what is computed of them, are read anew at each call.
function M.compile(fn)
  check_function("tide.compile", fn)
  local cache, count = {}, 0
  return function(...)
    if core.is_recording() then return fn(...) end -- part of that recording
    local arguments = {n = select("#", ...), ...}
    local leaves = {}
    local key, symbolic = core.tree_signature(arguments, leaves)
    if symbolic then raise("tide.compile: an argument is a symbolic tensor of a recording that has ended") end
    local level = core.matmul_precision() -- a program takes the level that holds when it is made
    if level ~= 0 then key = level .. key end
    if context then key = context .. key end
    local entry = cache[key]
    if not entry then
      entry = record(fn, arguments, leaves)
      if count >= MAX_PROGRAMS then cache, count = {}, 0 end
      cache[key], count = entry, count + 1
    end
    return unpack_results(entry, updates.apply(entry.updates, run(entry.program, leaves), entry.n, leaves))
  end
end

-- Central difference of the scalar function along element i of leaf x.
local function central_difference(value, x, i, h)
  local old = x[i]
  x[i] = old + h
  local above = value()
  x[i] = old - h
  local below = value()
  x[i] = old
  return (above - below) / (2 * h)
end

-- What the worst entry of a failed check is: its place, both numbers.
local report_meta = {__name = "gradcheck report", __tostring = function(r)
  local at = #r.index > 0 and ("[%s]"):format(table.concat(r.index, "][")) or ""
  return ("%s%s: gradient %.9g, central difference %.9g%s"):format(r.name == "" and "the tensor" or r.name,
    at, r.gradient, r.difference, r.note and "; " .. r.note or "")
end}

local function report_of(name, x, i, gradient, difference)
  local index, rest, shape = {}, i - 1, x:shape()
  for axis = #shape, 1, -1 do
    index[axis] = rest % shape[axis] + 1
    rest = rest // shape[axis]
  end
  return setmetatable({name = name, index = index, gradient = gradient, difference = difference}, report_meta)
end

local function noted(report, dtype)
  if dtype == "float32" and report then
    report.note = "fn returned float32, which such differences lose themselves in: make what it captures "
      .. "float64, y0 of a solve for one"
  end
  return report
end

--- gradcheck(fn, p) -> ok, worst relative error against float64 central differences, and, when not ok, a
-- report {name = place of the parameter, index = {row, ...}, gradient =, difference =} that prints itself. fn
-- may return any float tensor (it is summed with fixed random weights). p is copied to float64. Options:
-- tolerance (1e-6), step (1e-6).
function M.gradcheck(fn, p, opts)
  local o = options.check("tide.gradcheck", opts,
    {tolerance = {"number", default = 1e-6, check = options.positive},
    step = {"number", default = 1e-6, check = options.positive}})
  check_function("tide.gradcheck", fn)
  float_leaves("tide.gradcheck", p)
  local q = tree.map(p, function(x)
    local dtype = x:dtype()
    return (dtype == "float32" or dtype == "float64") and x:to("float64"):clone() or x
  end)
  local dtype
  local function loss(v)
    local y = fn(v)
    dtype = is_tensor(y) and y:dtype()
    if not dtype then
      raise("tide.gradcheck: the function must return a tensor, got " .. options.show(y))
    end
    if y:numel() == 1 then return y:to("float64"):sum() end
    return (y:to("float64") * core.random("normal", y:shape(), "float64", 7)):sum()
  end
  local state, compiled = {core.rng_state()}, M.compile(loss)
  local function value() -- always with the same random numbers
    core.rng_state(table.unpack(state))
    return compiled(q):item()
  end
  local gradient = tree.tensors(M.grad(loss)(q), true)
  local worst, report, names = 0, nil, tree._names(q)
  for j, x in ipairs(tree.tensors(q, true)) do
    local flat, g = x:reshape{-1}, gradient[j]:reshape{-1}
    for i = 1, flat:numel() do
      local numeric = central_difference(value, flat, i, o.step)
      local err = math.abs(g[i] - numeric) / math.max(1, math.abs(numeric))
      if worst == worst and not (err <= worst) then -- NaN stays
        worst, report = err, report_of(names[j], x, i, g[i], numeric)
      end
    end
  end
  if worst <= o.tolerance then return true, worst end
  return false, worst, noted(report, dtype)
end

return M
