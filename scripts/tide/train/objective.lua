--- What a training makes small: a loss by name, loss(prediction, y), or loss(model, batch), which may also
-- return numbers that become columns of the records.

local core = require "tide.core"
local faults = require "tide.train.faults"
local options = require "tide.base.options"
local samples = require "tide.base.samples"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

local losses = {mse = tensor.mse, smooth_l1 = tensor.smooth_l1, cross_entropy = tensor.cross_entropy,
  binary_cross_entropy = tensor.binary_cross_entropy}

-- Of a model of a density, whose predictions are log p(x).
function losses.nll(log_p) return -log_p:mean() end

-- Columns that a record has anyway.
local own_columns = {iteration = true, epoch = true, loss = true, accuracy = true, nfe_forward = true,
  nfe_backward = true, defect = true, seconds = true, best = true}

local function find_loss(where, loss)
  if type(loss) == "function" then return loss end
  if not losses[loss] then
    raise(("%s: %s"):format(where, options.unknown("loss", loss, options.sorted_keys(losses))))
  end
  return losses[loss]
end

local function how_many(mask, n) return mask:to("float32"):sum():item() / (mask:numel() // n) end

-- How many predictions are right: the largest logit for class labels, the sign for targets -1/+1 and, of
-- logits, for 0/1. nil when none makes sense.
local function counter(loss, y)
  if loss == "nll" or y:numel() == 0 then return nil end
  if loss == "binary_cross_entropy" then
    if (y * y):ne(y):to("float32"):sum():item() > 0 then return nil end
    return function(prediction, target) return how_many(prediction:gt(0):eq(target), #target) end
  end
  if y:dtype() == "int64" then
    return function(prediction, target) return how_many(prediction:argmax(2):eq(target), #target) end
  end
  if y:abs():ne(1):to("float32"):sum():item() == 0 then
    return function(prediction, target) return how_many((prediction * target):gt(0), #target) end
  end
end

local function has_pairs(data)
  return type(data) == "table" and tree.is_tensor(data.x) and tree.is_tensor(data.y)
end

-- Data without x and y: only a loss of (model, batch) knows what to do with them.
local function check_data(where, data, loss)
  if has_pairs(data) then
    samples.count(where, {x = data.x, y = data.y})
    local fault = loss == "cross_entropy" and faults.of_labels(data.y)
    if fault then raise(("%s: %s"):format(where, fault)) end
  elseif type(loss) ~= "function" then
    local lack = type(data) == "table" and tree.is_tensor(data.x)
      and ("; data.y is %s"):format(options.show(data.y)) or ""
    raise(("%s: data must be a table {x = tensor, y = tensor}, as the generators of tide.data return%s; "
      .. "other "
      .. "data (any table of tensors, a function of the iteration) need a loss of (model, batch)")
      :format(where, lack))
  end
end

-- Does every tensor of `part` have a row for each of n samples?
local function has_rows(part, n)
  local all = true
  tree.each(part, function(x)
    if tree.is_tensor(x) then all = all and x:rank() > 0 and #x == n end
  end)
  return all
end

-- Beside x and y a loss of (model, batch) gets what else belongs to the samples: masks, weights; and what is
-- no tensor (a list of times) as it is. Tensors of other sizes are none of the batch's.
local function hand_on(pairs_of, data)
  for _, key in ipairs(core.tree_keys(data)) do
    local part = rawget(data, key)
    if pairs_of[key] == nil and has_rows(part, #data.x) then pairs_of[key] = part end
  end
end

local methods = {}
local meta = {__name = "objective", __index = methods}

--- new(where, loss, data): data = {x =, y =} with a loss by name or of either form; any other tree of
-- tensors, or a function(iteration) that returns batches, with a loss of (model, batch).
function M.new(where, loss, data)
  local self = setmetatable({where = where, loss = find_loss(where, loss), named = type(loss) == "string"},
    meta)
  if type(data) ~= "function" or type(loss) ~= "function" then check_data(where, data, loss) end
  if has_pairs(data) then
    self.pairs = {x = data.x, y = data.y}
    if not self.named then hand_on(self.pairs, data) end
    self.supervised = self.named or nil -- nil: to be found out
    self.count = counter(loss, data.y)
  else
    self.supervised = false
  end
  return self
end

--- What batches are cut of: x and y, where a prediction is compared with y; else all.
function methods.data(self, data) return self.pairs or data end

local function is_scalar(v)
  return tree.is_tensor(v) and v:numel() == 1 and (v:dtype() == "float32" or v:dtype() == "float64")
end

-- The numbers beside the loss: scalar tensors by name.
local function check_named(self, named)
  if named == nil then return {} end
  if type(named) ~= "table" then
    raise(("%s: the loss function returns the loss and a table of named scalar tensors, or nothing; got "
      .. "%s"):format(self.where, options.show(named)))
  end
  for name, v in pairs(named) do
    if type(name) ~= "string" or name:find("[^%w_]") or own_columns[name] or name:find("^val_") then
      raise(("%s: the loss names a number %s; names are words, other than those of the records (loss, "
        .. "accuracy, "
        .. "val_...)"):format(self.where, options.show(name)))
    end
    if not is_scalar(v) then
      raise(("%s: %s beside the loss must be a scalar float tensor, got %s; a Lua number is not computed "
        .. "anew in "
        .. "each step"):format(self.where, name, options.show(v)))
    end
  end
  return named
end

-- A tensor; that it is a scalar is for value_and_grad to say.
local function check_value(self, value)
  if tree.is_tensor(value) then return value end
  raise(("%s: the loss function must return a scalar tensor, got %s"):format(self.where, options.show(value)))
end

local function by_model(self, model, batch, call)
  local value, named = self.loss(model, batch, call)
  return check_value(self, value), check_named(self, named)
end

local function by_prediction(self, model, batch, call)
  local prediction = model(batch.x, call)
  local value, named = self.loss(prediction, batch.y)
  return check_value(self, value), check_named(self, named), prediction
end

-- Which form a function has shows when it is called: the other one fails on its first argument.
local function find_form(self, model, batch, call)
  local ok, value, named = pcall(self.loss, model, batch, call)
  if not ok and core.is_failure(value) then error(value, 0) end -- interrupted
  if ok and is_scalar(value) then
    self.supervised, self.count = false, nil
    return value, check_named(self, named)
  end
  local results = table.pack(pcall(by_prediction, self, model, batch, call))
  if results[1] then
    self.supervised = true
    return table.unpack(results, 2, results.n)
  end
  local message = results[2]
  if type(message) == "string" then
    message = ("%s (as loss(prediction, y); as loss(model, batch): %s)"):format(message, ok and "it returned "
      .. options.show(value) or tostring(value))
  end
  error(message, 0)
end

--- record(model, batch, call) -> loss, {name = number}, predictions (nil for a loss of the model). call:
-- options for the calls of the model.
function methods.record(self, model, batch, call)
  if self.supervised == nil then return find_form(self, model, batch, call) end
  return (self.supervised and by_prediction or by_model)(self, model, batch, call)
end

return M
