--- One step of a training: compiled once per solver, taken, and what goes wrong in it put into words.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local faults = require "tide.train.faults"
local ode = require "tide.ode"
local options = require "tide.base.options"
local regular = require "tide.nn.regular"

local M = {}

-- What is made small, its gradients, and the loss and the predictions of one batch. With a pair
-- (adaption:solver) that is the mean of the losses by both solvers and the penalty, and the predictions by
-- the second one come last. The penalty of regularisers (nn.penalised) joins what is made small.
local function compile(loss, solver, pair)
  local call, second_call = solver and {solver = solver} or nil, pair and {solver = pair.solver}
  return autodiff.compile(function(model, x, y)
    local prediction, second, own
    local value, grads = autodiff.value_and_grad(function(m)
      local penalty
      penalty, prediction = regular.penalised(m, x, call)
      own = loss(prediction, y)
      if not pair then return penalty == 0 and own or own + penalty end
      second = m(x, second_call)
      return (own + loss(second, y)) * 0.5 + pair.penalty(prediction, second) + penalty
    end)(model)
    return value, grads, own, prediction, second
  end)
end
---  by_solver(loss) -> function(solver, pair) -> the compiled step. What an adaption no longer holds is
-- dropped
-- with its program: recording one costs about as much as a step, keeping many costs memory.
function M.by_solver(loss)
  local none, steps = {}, setmetatable({}, {__mode = "k"})
  return function(solver, pair)
    local key = pair or solver or none
    if not steps[key] then steps[key] = compile(loss, solver, pair) end
    return steps[key]
  end
end

--- take(step, s) -> statistics, loss, gradients, predictions, and those of a second solver. s describes the
-- step to whoever says what went wrong (faults.lua).
function M.take(step, s)
  -- luacheck: ignore failures
  local failures <close> = core.on_failure(function(failure) faults.of_solve(s, failure) end)
  local stats, value, grads, own, prediction, second = ode.counted(step, s.model, s.x, s.y)
  local number = value:item()
  if not options.finite(number) then faults.of_loss(s, number, prediction) end
  return stats, own:item(), grads, prediction, second
end

--- Update the weights; an optimiser of the user's own has step alone.
function M.update(s, grads, loss)
  if not s.optimizer._try then return s.optimizer:step(grads) end
  local fault = s.optimizer:_try(grads)
  if fault then faults.of_update(s, loss, fault) end
end

return M
