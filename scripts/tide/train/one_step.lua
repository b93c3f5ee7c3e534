--- One step of a training: compiled once per solver, taken, and what goes wrong in it put into words.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local faults = require "tide.train.faults"
local ode = require "tide.ode"
local options = require "tide.base.options"
local regular = require "tide.nn.regular"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}

-- What is made small, its gradients, and the loss, its named numbers and the predictions of one batch. With
-- a pair (adaption:solver) that is the mean of the losses by both solvers and the penalty, and the
-- predictions by the second one come last. The penalty of regularisers (nn.penalised) joins what is made
-- small.
local function compile(goal, adapted, solver, pair)
  local call, second_call = solver and {solver = solver} or nil, pair and {solver = pair.solver}
  return autodiff.compile(function(model, batch)
    local prediction, second, own, named
    local value, grads = autodiff.value_and_grad(function(m)
      local penalty
      penalty, own, named, prediction = regular.penalised(goal.record, goal, m, batch, call)
      if adapted and not goal.supervised then
        core.raise("tide.train: adaption compares predictions, so it needs a loss of (prediction, y), not of "
          .. "(model, batch)")
      end
      if not pair then return penalty == 0 and own or own + penalty end
      second = m(batch.x, second_call)
      return (own + goal.loss(second, batch.y)) * 0.5 + pair.penalty(prediction, second) + penalty
    end)(model)
    return value, grads, own, named, prediction, second
  end)
end

--- by_solver(goal, adapted) -> function(solver, pair) -> the compiled step. What an adaption no longer holds
-- is dropped with its program: recording one costs about as much as a step, keeping many costs memory.
function M.by_solver(goal, adapted)
  local none, steps = {}, setmetatable({}, {__mode = "k"})
  return function(solver, pair)
    local key = pair or solver or none
    if not steps[key] then steps[key] = compile(goal, adapted, solver, pair) end
    return steps[key]
  end
end

--- A value to be closed: after an error the buffers of the model (running statistics) are what they are now.
function M.guard_buffers(model)
  local trained, kept = {}, {}
  for _, x in ipairs(tree.tensors(model, true)) do trained[x] = true end
  for _, x in ipairs(tree.tensors(model)) do if not trained[x] then kept[x] = x:clone() end end
  return setmetatable(kept, {__close = function(_, err)
    if err ~= nil then for x, before in pairs(kept) do x:copy_(before) end end
  end})
end

--- take(step, s) -> {stats =, value = what is made small, loss =, named =, grads =, prediction =, second =}.
-- s describes the step to whoever says what went wrong (faults.lua).
function M.take(step, s)
  -- luacheck: ignore failures
  local failures <close> = core.on_failure(function(failure) faults.of_solve(s, failure) end)
  local stats, value, grads, own, named, prediction, second = ode.counted(step, s.model, s.batch)
  local number = value:item()
  if not options.finite(number) then faults.of_loss(s, number, prediction) end
  return {stats = stats, value = number, loss = own:item(), named = named, grads = grads,
    prediction = prediction, second = second}
end

-- The mean of gradients, each counting as many times as its batch has samples.
local function mean(list, sizes)
  local leaves, total = {}, 0
  for k, grads in ipairs(list) do
    total = total + sizes[k]
    for j, g in ipairs(tree.tensors(grads, true)) do
      leaves[j] = k == 1 and g * sizes[1] or leaves[j] + g * sizes[k]
    end
  end
  for j, g in ipairs(leaves) do leaves[j] = g / total end
  return tree.replace(list[1], leaves, true)
end

--- accumulated(list, sizes): the gradient of the batches together, of whose losses each is a mean.
function M.accumulated(list, sizes)
  return #list == 1 and list[1] or mean(list, sizes)
end

local function by_value(limit)
  return function(grads) return tree.map(grads, function(g) return g:clamp(-limit, limit) end) end
end

-- As PyTorch's clip_grad_norm_: times min(1, limit / (norm + 1e-6)), norm over all gradients together.
local function by_norm(limit)
  return function(grads)
    local sum
    for _, g in ipairs(tree.tensors(grads, true)) do
      local part = (g * g):sum()
      sum = sum and sum + part:to(sum:dtype()) or part
    end
    local norm = sum:sqrt()
    local factor = tensor.minimum(limit / (norm + 1e-6), 1)
    return tree.map(grads, function(g) return g * factor:to(g:dtype()) end), norm
  end
end

local clip_spec = {norm = {"number", check = options.positive}, value = {"number", check = options.positive}}

--- clipper(opts) of {norm =} or {value =} -> function(grads) -> clipped gradients and, for norm, the norm
-- before; nil for nil.
function M.clipper(opts)
  if opts == nil then return nil end
  local o = options.check("tide.train: clip", opts, clip_spec)
  if (o.norm == nil) == (o.value == nil) then
    core.raise("tide.train: clip needs norm or value, one of them: clip = {norm = 1}")
  end
  return autodiff.compile(o.norm and by_norm(o.norm) or by_value(o.value))
end

--- Update the weights; an optimiser of the user's own has step alone.
function M.update(s, grads, loss)
  if not s.optimizer._try then return s.optimizer:step(grads) end
  local fault = s.optimizer:_try(grads)
  if fault then faults.of_update(s, loss, fault) end
end

return M
