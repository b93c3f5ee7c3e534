--- A model on a data set without gradients: what tide.evaluate returns, and the validation of a training.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local mode = require "tide.nn.mode"
local objective = require "tide.train.objective"
local ode = require "tide.ode"
local options = require "tide.base.options"
local records = require "tide.train.records"
local samples = require "tide.base.samples"

local M = {}

function M.is_callable(v)
  local meta = getmetatable(v)
  return type(v) == "function" or type(meta) == "table" and meta.__call ~= nil
end

--- over(goal, data, batch, solver) -> function(model) -> sums over all samples (records.lua), recorded once.
function M.over(goal, data, batch, solver)
  local call = solver and {solver = solver} or nil
  local set = goal:data(data)
  local n = samples.count(goal.where, set)
  local forward = autodiff.compile(function(model, part) return goal:record(model, part, call) end)
  return function(model)
    local evaluation <close> = mode.within(false) -- luacheck: ignore evaluation
    local sums = records.empty(goal.count)
    for first = 1, n, batch do
      local part = samples.cut(set, first, math.min(first + batch - 1, n))
      local stats, value, named, prediction = ode.counted(forward, model, part)
      local right = goal.count and prediction and goal.count(prediction, part.y)
      records.add(sums, math.min(batch, n - first + 1), value:item(), named, right, stats)
    end
    return sums
  end
end

local spec = {
  batch = {"integer", default = 256, check = options.at_least(1)},
  loss = {"string|function", default = "cross_entropy"}, solver = {"table"},
}

--- evaluate(model, data, {batch=, loss=, solver=}) -> {loss=, accuracy=, nfe=, ...}: means over all samples,
-- also of the numbers that a loss of (model, batch) names; nfe per batch.
function M.evaluate(model, data, opts)
  local o = options.check("tide.evaluate", opts, spec)
  if not M.is_callable(model) and (type(model) ~= "table" or type(o.loss) ~= "function") then
    core.raise("tide.evaluate: model must be called as model(x), got " .. options.show(model))
  end
  local goal = objective.new("tide.evaluate", o.loss, data)
  local sums = M.over(goal, data, o.batch, o.solver)(model)
  local out = records.means(sums)
  out.nfe = sums.nfe / sums.batches
  return out
end

return M
