--- The ODE block: a field and a solver as a layer.

local class = require "tide.nn.model_class"
local core = require "tide.core"
local ode = require "tide.ode"
local options = require "tide.base.options"
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

local function solver_of(opts)
  if opts == nil then return nil end
  if type(opts) ~= "table" then
    raise("nn.odeblock: options must be a table {solver = {...}}, got " .. options.show(opts))
  end
  for key in pairs(opts) do
    if key ~= "solver" then raise("nn.odeblock: " .. options.unknown("option", key, {"solver"})) end
  end
  return opts.solver
end

local watcher

--- For the library: call seen(block) before each solve of a block, until the result is closed.
function M._watch(seen)
  watcher = seen
  return setmetatable({}, {__close = function() watcher = nil end})
end

local function solve(self, x, times, over)
  if watcher then watcher(self) end
  local o = merged(self.solver, over)
  local rest = {}
  for k, v in pairs(o) do if k ~= "t" then rest[k] = v end end
  return ode.odeint(self.field, x, times or o.t or {0, 1}, rest)
end

local make_odeblock = class("nn.odeblock", "field solver", function(self, x, opts)
  local ys, stats = solve(self, x, nil, solver_of(opts))
  return tree.map(ys, function(y) return y[-1] end), stats
end, {
  --- States at the given times, {n_times, N, ...}, and statistics.
  trajectory = function(self, x, times, opts) return solve(self, x, times, solver_of(opts)) end,
})

--- block(x) -> state at the end of the span (solver option t, default {0, 1}), statistics.
function M.odeblock(field, solver)
  if solver ~= nil and type(solver) ~= "table" then
    raise("nn.odeblock: solver options must be a table, got " .. options.show(solver))
  end
  local own, check = {}, {}
  for k, v in pairs(solver or {}) do
    own[k] = tree.map(v, function(x) return x:totable() end) -- a tensor here would be trained
    if k ~= "t" then check[k] = v end
  end
  ode.check_options("nn.odeblock", check)
  return make_odeblock{field = field, solver = own}
end

return M
