--- Learning rates that change with the step, by PyTorch's formulas: optim.adam(model, {lr =
-- schedule.cosine{...}}). Each but plateau returns a function of the step, counted from 1; nothing is
-- remembered, so a training that goes on from a checkpoint has the same rates.

local core = require "tide.core"
local options = require "tide.base.options"
local show = require "tide.base.show"

local M = {}

local function rate(required) return {"number", required = required, check = options.not_negative} end
local steps = {"integer", required = true, check = options.at_least(1)}
local share = function(default) return {"number", default = default, check = options.between(0, 1)} end

local function cosine(from, to,
  share_done) return to + (from - to) * (1 + math.cos(math.pi * share_done)) / 2 end

--- cosine{lr =, steps =, final = 0}: from lr to final along half a cosine, and then final (Loshchilov, Hutter
-- 2017; CosineAnnealingLR).
function M.cosine(opts)
  local o = options.check("schedule.cosine", opts, {lr = rate(true), steps = steps,
    final = {"number", default = 0, check = options.not_negative}})
  return function(step) return cosine(o.lr, o.final, math.min(1, (step - 1) / o.steps)) end
end

--- step{lr =, every =, factor = 0.1}: times factor after every so many steps (StepLR).
function M.step(opts)
  local o = options.check("schedule.step", opts, {lr = rate(true), every = steps,
    factor = {"number", default = 0.1, check = options.not_negative}})
  return function(step) return o.lr * o.factor ^ ((step - 1) // o.every) end
end

--- warmup{lr =, steps =, next = a schedule}: lr / steps, 2 lr / steps, ... up to lr; then lr, or what `next`
-- gives for the steps behind.
function M.warmup(opts)
  local o = options.check("schedule.warmup", opts, {lr = rate(true), steps = steps, next = {"function"}})
  return function(step)
    if step <= o.steps then return o.lr * step / o.steps end
    return o.next and o.next(step - o.steps) or o.lr
  end
end

--- one_cycle{lr =, steps =, up = 0.3, start = 25, finish = 1e4}: from lr / start to lr in a share `up` of the
-- steps, and down to lr / start / finish, both along half a cosine (Smith, Topin 2018; OneCycleLR).
function M.one_cycle(opts)
  local o = options.check("schedule.one_cycle", opts, {lr = rate(true), steps = steps, up = share(0.3),
    start = {"number", default = 25, check = options.positive},
    finish = {"number", default = 1e4, check = options.positive}})
  local first, last, top = o.lr / o.start, o.lr / o.start / o.finish, o.up * o.steps - 1
  return function(step)
    local t = math.min(step, o.steps) - 1
    if t <= top then return top > 0 and cosine(first, o.lr, t / top) or o.lr end
    return cosine(o.lr, last, (t - top) / (o.steps - 1 - top))
  end
end

local methods = {}
local meta = {__name = "schedule", __index = methods, __tostring = function(self)
  return ("schedule.plateau %s, %d records without a gain"):format(show.as_table(self.o), self.since)
end}

--- plateau{by = "val_loss", factor = 0.1, patience = 10, threshold = 1e-4, cooldown = 0, least = 0, mode =}:
-- the option `schedule` of tide.train. The rate is multiplied when the column `by` of the records has not got
-- better, by a share of at least threshold, for more than `patience` records (ReduceLROnPlateau). mode "max"
-- (default for accuracies): larger is better.
function M.plateau(opts)
  local o = options.check("schedule.plateau", opts, {by = {"string", default = "val_loss"},
    factor = share(0.1),
    patience = {"integer", default = 10, check = options.not_negative},
    threshold = {"number", default = 1e-4, check = options.not_negative},
    cooldown = {"integer", default = 0, check = options.not_negative},
    least = {"number", default = 0, check = options.not_negative},
    mode = {"string", check = options.one_of{"min", "max"}}})
  o.highest = o.mode == "max" or o.mode == nil and o.by:find("accuracy$") ~= nil
  return setmetatable({o = o, since = 0, rest = 0}, meta)
end

-- PyTorch's test for numbers above 0. Below it takes the share off on the wrong side: a level column would be
-- better for ever.
local function is_better(self, v)
  if self.value == nil then return v == v end
  local o, up = self.o, self.value < 0 and -1 or 1
  if o.highest then return v > self.value * (1 + up * o.threshold) end
  return v < self.value * (1 - up * o.threshold)
end

function methods.observe(self, record, optimizer)
  local o, v = self.o, record[self.o.by]
  if v == nil then
    if o.by:find("^val_") and record.val_loss == nil and self.value then return end -- not validated this time
    core.raise(("schedule.plateau: the records have no column \"%s\"; they have %s"):format(o.by,
      table.concat(options.sorted_keys(record), ", ")))
  end
  if is_better(self, v) then self.value, self.since = v, 0 else self.since = self.since + 1 end
  if self.rest > 0 then self.rest, self.since = self.rest - 1, 0 end
  if self.since > o.patience then
    if type(optimizer.lr) ~= "number" then
      core.raise("schedule.plateau: the optimizer's lr is a function of the step; give it a number")
    end
    optimizer.lr = math.max(optimizer.lr * o.factor, o.least)
    self.rest, self.since = o.cooldown, 0
  end
end

function methods.state(self)
  return {since = core.tensor_from(self.since, "int64"), rest = core.tensor_from(self.rest, "int64"),
    value = core.tensor_from(self.value or 0 / 0, "float64")}
end

function methods.load_state(self, state)
  self.since, self.rest = state.since:item(), state.rest:item()
  local v = state.value:item()
  self.value = v == v and v or nil
end

return M
