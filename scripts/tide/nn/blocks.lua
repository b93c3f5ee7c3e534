--- The ODE block: a field and a solver as a layer.

local class = require "tide.nn.model_class"
local core = require "tide.core"
local ode = require "tide.ode"
local options = require "tide.base.options"
local regular = require "tide.nn.regular"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

-- Options for one call: the block's own with those of the call on top. A new step rule replaces the old one.
local function merged(base, over)
  if not over then return base end
  local o = {}
  for k, v in pairs(base) do o[k] = v end
  if over.steps or over.step_size or over.method then o.steps, o.step_size = nil, nil end
  for k, v in pairs(over) do o[k] = v end
  return o
end

--- The solver options of a call's options {solver = {...}}.
function M._solver_of(where, opts)
  if opts == nil then return nil end
  if type(opts) ~= "table" then
    raise(where .. ": options must be a table {solver = {...}}, got " .. options.show(opts))
  end
  for key in pairs(opts) do
    if key ~= "solver" and key ~= "training" then
      raise(where .. ": " .. options.unknown("option", key, {"solver", "training"}))
    end
  end
  if opts.solver ~= nil and type(opts.solver) ~= "table" then
    raise(where .. ": solver options must be a table, got " .. options.show(opts.solver))
  end
  return opts.solver
end

local watcher

--- For the library: call seen(block) before each solve of a block, until the result is closed.
function M._watch(seen)
  watcher = seen
  return setmetatable({}, {__close = function() watcher = nil end})
end

--- The options of a block's solve with those of one call on top, and its times.
function M._options(block, times, over)
  if watcher then watcher(block) end
  local o, rest = merged(block.solver, over), {}
  for k, v in pairs(o) do if k ~= "t" then rest[k] = v end end
  return rest, times or o.t or {0, 1}
end

--- A solve over `times` with the regularisers of the block: call, f and part as in regular.integrand. Where
-- nobody asks for the penalty it is a solve like others. where: what the user called, for errors, here and
-- below.
function M._solve(where, block, y0, times, o, call, part)
  local own = block.regularise
  if not regular.wanted(own) then return ode.odeint(call, y0, times, o) end
  if o.quadrature then
    raise(where .. ": regularise is a quadrature of the solve; leave out the option quadrature")
  end
  local field, integrand = regular.integrand(own, block.field, call, part)
  o.quadrature = integrand
  local ys, stats, q = ode.odeint(field, y0, regular.times(times, own), o)
  if q then regular.add(q, times[1], times[#times]) end
  return ys, stats
end

local function same(y) return y end

-- The field as a regulariser wants to see it.
local function call_of(where, block, x)
  local own, field = block.regularise, block.field
  if not regular.wanted(own) then return field end
  if not tree.is_tensor(x) then
    raise(where .. ": regularise is for states that are one tensor, samples first, got " .. options.show(x))
  end
  if not own.jacobian then
    return function(t, y)
      local dy = field(t, y)
      return dy, dy
    end
  end
  local products = regular.products(own, field)
  return function(t, y)
    local dy, _, product = products(t, y)
    return dy, dy, product
  end
end

-- The block for a solve from x: a field that sees where the solve starts is told (nn.data_controlled).
local function from(block, x)
  local meta = getmetatable(block.field)
  local methods = type(meta) == "table" and rawget(meta, "__index")
  local at_start = type(methods) == "table" and methods._at_start
  if not at_start then return block end
  return setmetatable({field = at_start(block.field, x), solver = block.solver,
    regularise = block.regularise}, getmetatable(block))
end

--- The state at the end, and statistics.
function M._end(where, block, x, opts)
  block = from(block, x)
  local o, times = M._options(block, nil, M._solver_of(where, opts))
  local ys, stats = M._solve(where, block, x, times, o, call_of(where, block, x), same)
  return tree.map(ys, function(y) return y[-1] end), stats
end

--- States at the given times, {n_times, N, ...}, and statistics.
function M._trajectory(where, block, x, times, opts)
  block = from(block, x)
  local o, t = M._options(block, times, M._solver_of(where, opts))
  return ode.odeint(block.field, x, t, o)
end

local make_odeblock = class("nn.odeblock", "field solver regularise", function(self, x, opts)
  return M._end("nn.odeblock", self, x, opts)
end, {
  trajectory = function(self, x, times, opts) return M._trajectory("nn.odeblock", self, x, times, opts) end,
})

--- What solver options are to a block: its fields solver and regularise.
function M._checked(where, solver)
  if solver ~= nil and type(solver) ~= "table" then
    raise(where .. ": solver options must be a table, got " .. options.show(solver))
  end
  local own, check, regularise = {}, {}, nil
  for k, v in pairs(solver or {}) do
    if k == "regularise" then
      regularise = v
    else
      own[k] = tree.map(v, function(x) return x:totable() end) -- a tensor here would be trained
      if k ~= "t" then check[k] = v end
    end
  end
  ode.check_options(where, check)
  return {solver = own, regularise = regular.check(where, regularise, own.t or {0, 1})}
end

--- A block with these.
function M._with(field, checked)
  return make_odeblock{field = field, solver = checked.solver, regularise = checked.regularise}
end

--- block(x) -> state at the end of the span (solver option t, default {0, 1}), statistics.
function M.odeblock(field, solver)
  ode._check_field("nn.odeblock", field)
  return M._with(field, M._checked("nn.odeblock", solver))
end

return M
