--- The ODE inside a model: what comes before the block, the block, what comes after.

local options = require "tide.base.options"
local core = require "tide.core"
local ode = require "tide.ode"
local tree = require "tide.base.tree"

local M = {}

local function kind(v)
  local meta = getmetatable(v)
  return type(v) == "table" and type(meta) == "table" and meta.__name or nil
end

local function same(x) return x end

local function through(layers, first, last)
  return function(x)
    for i = first, last do x = layers[i](x) end
    return x
  end
end

local parts_of

-- What is known of the layers of a chain: of the one with the block, of those before and behind it.
local function parts_of_chain(where, layers)
  local found, place
  for i, layer in ipairs(layers) do
    local inner = parts_of(where, layer)
    if inner and found then
      core.raise(("%s: layers %d and %d of a chain hold an ODE block each, and the solver of one is asked "
        .. "about; give a chain with one of them, and what comes before it as data"):format(where, place, i))
    end
    if inner then found, place = inner, i end
  end
  if not found then return nil end
  local head, tail = through(layers, 1, place - 1), through(layers, place + 1, #layers)
  return {block = found.block, before = function(x) return found.before(head(x)) end,
    after = function(z) return tail(found.after(z)) end}
end

function parts_of(where, model)
  local name = kind(model)
  if name == "nn.odeblock" then return {block = model, before = same, after = same} end
  if name == "nn.chain" then return parts_of_chain(where, model) end
  if name and kind(rawget(model, "block")) == "nn.odeblock" then
    return {block = model.block, before = model.augment or same, after = function(z)
      if model.flatten then z = z:reshape{z:shape()[1], -1} end
      return model.out and model.out(z) or z
    end}
  end
  return nil
end

--- of(where, model) -> {block = odeblock, before = function(x) -> z0, after = function(z1) -> prediction}.
-- Known are odeblock, odenet, conv_odenet and chains with one of them in it; others are an error.
function M.of(where, model)
  local found = parts_of(where, model)
  if not found then
    core.raise(("%s: model must hold an ODE block (nn.odeblock, nn.odenet, nn.conv_odenet or an nn.chain "
      .. "with one of them in it), got %s"):format(where,
      kind(model) or options.show(model)))
  end
  return found
end

--- How the model was trained: its block's solver options with those of `solver` on top, checked; and the span
-- {t0, t1}.
function M.solver(where, parts, solver)
  local o, t = {}, parts.block.solver.t or {0, 1}
  for k, v in pairs(solver or parts.block.solver) do if k ~= "t" then o[k] = v end end
  if solver and solver.t then t = solver.t end
  ode.check_options(where, o)
  return o, {t[1], t[#t]}
end

--- The number of fixed steps that these options make over the span, or nil for adaptive ones.
function M.steps(solver, span)
  if solver.steps then return math.tointeger(solver.steps) end
  return solver.step_size and math.max(1, math.ceil(math.abs(span[2] - span[1]) / solver.step_size - 1e-9))
    or nil
end

--- A model and inputs in float64, for derivatives; functions in it that hold tensors of their own keep them.
function M.to_float64(t)
  return tree.map(t, function(x) return x:dtype() == "float32" and x:to("float64") or x end)
end

return M
