--- A model on a data set without gradients: tide.predict, tide.evaluate, and the validation of a training.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local mode = require "tide.nn.mode"
local objective = require "tide.train.objective"
local ode = require "tide.ode"
local options = require "tide.base.options"
local records = require "tide.train.records"
local samples = require "tide.base.samples"
local show = require "tide.base.show"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}

function M.is_callable(v)
  local meta = getmetatable(v)
  return type(v) == "function" or type(meta) == "table" and meta.__call ~= nil
end

local function call_of(solver) return solver and {solver = solver} or nil end

-- visit(part, number of its samples) for batch after batch, in evaluation mode.
local function each_batch(data, n, batch, visit)
  local evaluation <close> = mode.within(false) -- luacheck: ignore evaluation
  for first = 1, n, batch do
    local last = math.min(first + batch - 1, n)
    visit(samples.cut(data, first, last), last - first + 1)
  end
end

--- over(goal, data, batch, solver) -> function(model) -> sums over all samples (records.lua), recorded once.
function M.over(goal, data, batch, solver)
  local call, set = call_of(solver), goal:data(data)
  local n = samples.count(goal.where, set)
  local forward = autodiff.compile(function(model, part) return goal:record(model, part, call) end)
  return function(model)
    local sums = records.empty()
    each_batch(set, n, batch, function(part, size)
      local stats, value, named, prediction = ode.counted(forward, model, part)
      local right = goal.count and prediction and goal.count(prediction, part.y)
      records.add(sums, size, value:item(), named, right, stats)
    end)
    return sums
  end
end

local predict_spec = {batch = {"integer", default = 256, check = options.at_least(1)}, solver = {"table"}}
local spec = {loss = {"string|function", default = "cross_entropy"}, batch = predict_spec.batch,
  solver = predict_spec.solver}

local function not_callable(where, model)
  core.raise(("%s: model must be called as model(x), got %s"):format(where, options.show(model)))
end

--- predict(model, x, {batch =, solver =}) -> model(x) in evaluation mode, batch by batch: what it returns,
-- tensors with a row for each sample. x: a tensor or a table of them, samples along the first axis.
function M.predict(model, x, opts)
  local where = "tide.predict"
  local o = options.check(where, opts, predict_spec)
  if not M.is_callable(model) then not_callable(where, model) end
  local call, y, columns = call_of(o.solver), nil, {}
  local forward = autodiff.compile(function(m, part) return (m(part, call)) end)
  each_batch(x, samples.count(where, x), o.batch, function(part, size)
    y = forward(model, part)
    for i, rows in ipairs(tree.tensors(y)) do
      if rows:rank() == 0 or #rows ~= size then
        core.raise(("%s: the model must return a row for each sample, got {%s} for %d samples"):format(where,
          table.concat(rows:shape(), ", "), size))
      end
      columns[i] = columns[i] or {}
      table.insert(columns[i], rows)
    end
  end)
  if #columns == 0 then
    core.raise(("%s: the model must return a tensor or a table of them, got %s"):format(where,
      options.show(y)))
  end
  for i, parts in ipairs(columns) do columns[i] = #parts == 1 and parts[1] or tensor.cat(parts, 1) end
  return tree.replace(y, columns)
end

--- evaluate(model, data, {batch=, loss=, solver=}) -> {loss=, accuracy=, nfe=, ...}: means over all samples,
-- also of the numbers that a loss of (model, batch) names; nfe per batch.
function M.evaluate(model, data, opts)
  local o = options.check("tide.evaluate", opts, spec)
  if not M.is_callable(model) and (type(model) ~= "table" or type(o.loss) ~= "function") then
    not_callable("tide.evaluate", model)
  end
  local goal = objective.new("tide.evaluate", o.loss, data)
  local sums = M.over(goal, data, o.batch, o.solver)(model)
  local out = records.means(sums)
  out.nfe = sums.nfe / sums.batches
  return show.printable(out)
end

return M
