--- The best record of a training: keep_best gives the model its weights at the end, early_stop ends a
-- training that no longer gets better.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

local stop_spec = {patience = {"integer", default = 10, check = options.at_least(1)}, by = {"string"},
  min_delta = {"number", default = 0, check = options.not_negative},
  mode = {"string", check = options.one_of{"min", "max"}}}

local methods = {}
local meta = {__name = "best", __index = methods}

--- new(o) of the options of tide.train; nil where neither is asked for.
function M.new(o)
  if not (o.early_stop or o.keep_best) then return nil end
  local given = o.early_stop
  if options.integer(given) then given = {patience = given} end
  local stop = options.check("tide.train: early_stop", type(given) == "table" and given or {}, stop_spec)
  local keep = o.keep_best
  local by = stop.by or type(keep) == "string" and keep or o.validation and "val_loss" or "loss"
  if stop.by and type(keep) == "string" and keep ~= stop.by then
    raise(("tide.train: early_stop goes by %s, keep_best by %s; name one of them"):format(stop.by, keep))
  end
  local highest = stop.mode == "max" or stop.mode == nil and by:find("accuracy$") ~= nil
  return setmetatable({model = o.model, by = by, sign = highest and -1 or 1, min_delta = stop.min_delta,
    patience = o.early_stop and stop.patience, keep = keep and true or false, since = 0}, meta)
end

local function columns(record)
  return table.concat(options.sorted_keys(record), ", ")
end

--- A record was made (validated: it should have what the validation gives): does the training end here? A
-- value that is no number is not better than any.
function methods.observe(self, record, validated)
  local v = record[self.by]
  if v == nil then
    if not validated and self.by:find("^val_") then return false end
    raise(("tide.train: there is no column \"%s\" to find the best record by; a record has %s"):format(
      self.by, columns(record)))
  end
  if self.value == nil or self.sign * v < self.sign * self.value - self.min_delta then
    self.value, self.iteration, self.since = v, record.iteration, 0
    if self.keep then
      self.weights = {}
      for k, x in ipairs(tree.tensors(self.model)) do self.weights[k] = x:clone() end
    end
  else
    self.since = self.since + 1
  end
  return self.patience ~= nil and self.since >= self.patience
end

--- The training has ended: the model gets the weights of its best record.
function methods.finish(self)
  if not (self.keep and self.weights) then return end
  for k, x in ipairs(tree.tensors(self.model)) do x:copy_(self.weights[k]) end
end

--- For a checkpoint, and back.
function methods.state(self)
  if self.value == nil then return {since = core.tensor_from(0, "int64")} end
  return {since = core.tensor_from(self.since, "int64"), value = core.tensor_from(self.value, "float64"),
    iteration = core.tensor_from(self.iteration, "int64"), weights = self.weights}
end

function methods.load_state(self, state)
  self.since = state.since:item()
  if not state.value then return end
  self.value, self.iteration, self.weights = state.value:item(), state.iteration:item(), state.weights
end

return M
