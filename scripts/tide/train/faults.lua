--- What went wrong in a training step, in words: looked for only after something has, so it may take its
-- time.

local core = require "tide.core"
local nn = require "tide.nn"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local show = options.show

local function is_float(x) return x:dtype() == "float32" or x:dtype() == "float64" end

-- The first place of x that is not finite, counted from 1 over all elements, and what stands there; nil when
-- all are.
local function first_fault(x)
  if not is_float(x) then return nil end
  for i, v in ipairs(x:reshape{-1}:totable()) do
    if not options.finite(v) then return i, v end
  end
end

-- Runs fn without a part in any recording and without a trace in the default generator.
local function aside(fn)
  local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
  local seed, block = core.rng_state()
  local results = table.pack(pcall(fn))
  core.rng_state(seed, block)
  return table.unpack(results, 1, results.n)
end

local function where_in(model, part)
  local place
  local function walk(t, path, depth)
    if place or type(t) ~= "table" or depth > 50 then return end
    if rawequal(t, part) then
      place = path
      return
    end
    for _, key in ipairs(core.tree_keys(t)) do walk(rawget(t, key), tree._join(path, key), depth + 1) end
  end
  walk(model, "", 0)
  return place
end

-- A place as the user would write it: model[2], model.block.
local function in_model(place)
  if place == "" then return "model" end
  return place:sub(1, 1) == "[" and "model" .. place or "model." .. place
end
M.in_model = in_model

-- Which part of the step fails when it is taken again on numbers, in words; and of an ODE block its place in
-- the model.
local function failing_part(s)
  local block, prediction
  local supervised = s.goal.supervised
  local ok = aside(function()
    local watch <close> = nn._watch(function(b) block = b end) -- luacheck: ignore watch
    if not supervised then return s.goal:record(s.model, s.batch, s.call) end
    prediction = s.model(s.batch.x, s.call)
    if s.second_call then s.model(s.batch.x, s.second_call) end
  end)
  if not ok then
    local place = block and where_in(s.model, block)
    if not place then return supervised and "the model" or "the loss function" end
    return "the ODE block " .. in_model(place), place
  end
  if supervised and not aside(function() return s.goal.loss(prediction, s.batch.y) end) then
    return "the loss function"
  end
  return "the gradient"
end

-- Where a step s = {iteration =, optimizer =, model =, goal = objective, batch =, call = options of the
-- model's calls, second_call = of those by a second solver} stands: as fields of a failure, and in words
-- ("iteration 12, learning rate 0.01").
local function place(s, failure)
  failure.iteration, failure.learning_rate = s.iteration, s.optimizer.rate and s.optimizer:rate()
  return ("iteration %d%s"):format(s.iteration, failure.learning_rate
    and (", learning rate %s"):format(show(failure.learning_rate)) or "")
end

--- A failed solve is told where in the training it was.
function M.of_solve(s, failure)
  local where, part, block = place(s, failure), failing_part(s)
  local later = s.iteration > 1
    and "; the solves of earlier iterations did not fail: weights that moved less (a lower learning rate) "
    .. "may cure it" or ""
  failure.block = block
  failure.message = ("tide.train: %s, in %s: %s%s"):format(where, part, failure.message, later)
end

-- Why the loss is not a number: the first cause in the order of the computation.
local function cause(s, prediction)
  local words
  tree.each(s.batch, function(x, path)
    local i, v
    if tree.is_tensor(x) then i, v = first_fault(x) end
    if i and not words then
      words = ("%s holds %s (element %d of this batch); clean the data"):format(path == "" and "data"
        or tree._join("data", path), show(v), i)
    end
  end)
  if words then return words end
  local names = tree._names(s.model)
  for n, x in ipairs(tree.tensors(s.model, true)) do
    local _, v = first_fault(x)
    if v then return ("%s holds %s: it was given such a number"):format(in_model(names[n]), show(v)) end
  end
  if tree.is_tensor(prediction) and prediction:numel() > 0 then
    local top = prediction:abs():max():item()
    if not (top < (prediction:dtype() == "float32" and 1e18 or 1e150)) then
      local largest = 0
      for _, x in ipairs(tree.tensors(s.model, true)) do
        largest = math.max(largest, x:numel() > 0 and x:abs():max():item() or 0)
      end
      return ("the model's predictions reach %s, its weights %.3g: the training has diverged; lower the "
        .. "learning rate, or scale the data"):format(
        show(top), largest)
    end
  end
  return "the model's predictions are finite, so it is the loss function that gives it: look for a log or "
    .. "root of 0, a division by 0, an overflow"
end

--- Ends the step for a loss that is not finite.
function M.of_loss(s, value, prediction)
  local failure, remedy = {status = "not_finite", kind = "numeric", loss = value}, cause(s, prediction)
  failure.message = ("tide.train: the loss is %s at %s; weights are as before the step: %s"):format(
    show(value), place(s, failure), remedy)
  core.fail(failure)
end

--- Ends the step for a gradient, weight or moment that is not finite, as the optimiser put it in words.
function M.of_update(s, value, words)
  local failure = {status = "not_finite", kind = "numeric", loss = value}
  failure.message = ("tide.train: %s, loss %.4g: %s"):format(place(s, failure), value, words)
  core.fail(failure)
end

-- ---- labels ----

--- What is wrong with labels y for cross_entropy, with what to write instead; nil when nothing is.
function M.of_labels(y)
  local shape = y:shape()
  local text = ("data.y has shape {%s} (%s)"):format(table.concat(shape, ", "), y:dtype())
  if #shape == 2 and shape[2] > 1 and is_float(y) then
    return text .. "; cross_entropy takes class numbers: write y = y:argmax(2) if these are one-hot rows"
  end
  if #shape == 2 and shape[2] == 1 then
    return text .. "; cross_entropy takes one class number per sample, shape {N}: write y = y:reshape{-1}"
      .. (y:dtype() ~= "int64" and ':to("int64")' or "")
  end
  if y:dtype() ~= "int64" then
    return text .. '; cross_entropy takes class numbers 1, 2, ... in int64: write y = y:to("int64")'
  end
  local least = y:min():item()
  if least == 0 then return "data.y begins with class 0, and classes count from 1: write y = y + 1" end
  if least < 0 then return ("data.y holds the class %d, and classes count from 1"):format(least) end
end

return M
