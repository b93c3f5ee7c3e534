--- What step and tolerance adaption share: comparing the predictions of two solvers, and the object that
-- tide.train drives.
--
-- An adaption is a rule and a measurement. The rule is arithmetic alone (one number in, the next number out),
-- so that it can be checked by hand; the measurement solves the current batch once more with a finer solver.
-- The object puts them together:
--   solver()   -> solver options of the next training step, the same table while nothing has changed; and of
--                 a step that is taken through two solvers at once a pair {solver = options of the second,
--                 penalty = function(prediction, second, y) -> what their difference adds to the loss}
--   observe(iteration, model, x, y, prediction, nfe, second)   sees a batch before the parameters change,
--                 with what the training solver made of it, the evaluations that took, and of a pair the
--                 second's

local attempt = require "tide.base.failure".attempt
local checkpoint = require "tide.train.checkpoint"
local core = require "tide.core"
local ode = require "tide.ode"
local options = require "tide.base.options"

local M = {}
local raise, show = core.raise, options.show

-- ---- comparing predictions ----

local function as_number(x) return x:to("float64"):mean():item() end

--- Share of the predictions that are right: largest logit for int64 labels, the sign for targets -1/+1; nil
-- for other targets.
function M.accuracy(prediction, y)
  if y:dtype() == "int64" then return as_number(prediction:argmax(2):eq(y)) end
  if y:numel() > 0 and as_number(y:abs():ne(1)) == 0 then return as_number((prediction * y):gt(0)) end
  return nil
end

--- Share of the samples whose predicted label differs; nil where predictions are no labels.
function M.flips(a, b, y)
  if y:dtype() == "int64" then return as_number(a:argmax(2):ne(b:argmax(2))) end
  if y:numel() > 0 and as_number(y:abs():ne(1)) == 0 then return as_number(a:gt(0):ne(b:gt(0))) end
  return nil
end

-- Logits of a model that is still undecided are small, and so are differences of their softmax although
-- labels flip: such logits are stretched to this root mean square. Those of a model that has decided are left
-- as they are.
local DECIDED = 5

local function stretch(logits)
  local spread = math.sqrt(as_number((logits - logits:mean(2, true)):square()))
  return spread > 0 and math.max(1, DECIDED / spread) or 1
end

--- How far apart two predictions are, continuously, in 0..1: for class labels the mean total variation of the
-- two softmax distributions, which is the share of flipped labels made smooth; else d / (1 + d), d the root
-- mean square difference over that of b. NaN counts as 1.
function M.distance(a, b, y)
  local d
  if y:dtype() == "int64" then
    local scale = stretch(b)
    d = as_number(((a * scale):softmax(2) - (b * scale):softmax(2)):abs():sum(2)) / 2
  else
    d = math.sqrt(as_number((a - b):square()) / math.max(as_number(b:square()), 1e-30))
    d = d / (1 + d)
  end
  return d == d and d or 1
end

--- measured(fn, ...) -> result of fn, evaluations of fields that it took. A solve that fails gives nil: for a
-- comparison that is an answer.
function M.measured(fn, ...)
  local stats, ok, result = ode.counted(attempt, fn, ...)
  return ok and result or nil, stats.nfe
end

-- ---- the object ----

local methods = {}
local meta = {__name = "adaption", __index = methods, __tostring = function(self)
  return ("adaption: %s, %d looks, %.0f evaluations"):format(tostring(self.rule), #self.history, self.nfe)
end}

function methods.solver(self)
  if self.pairing then return self.current, self.pair end
  return self.mixing and self.mixed or self.current
end

-- The solvers for a value of the rule.
local function choose(self, value)
  self.current = self.options_of(value)
  self.mixed, self.pair = self.mixed_of and self.mixed_of(value), self.pair_of and self.pair_of(value)
end

-- Every `mix`-th training step is taken with a finer solver, so that the field cannot settle on the errors of
-- the coarse one; every second one while the rule sees that it has. A rule of pairs looks at each of them.
local function plan_next(self, iteration)
  self.pairing = self.pair ~= nil and iteration + 1 >= self.next_probe
  self.mixing = self.mixed ~= nil and self.mix > 0 and (iteration + 1) % (self.rule.out_of_band and 2
    or self.mix) == 0
end

--- Look at a batch; returns true when the solver has changed.
function methods.observe(self, iteration, model, x, y, prediction, nfe, second)
  local mixed = self.mixing
  if nfe and not mixed and not self.pairing then
    table.insert(self.recent, nfe)
    if #self.recent > 5 then table.remove(self.recent, 1) end
  end
  if iteration < self.next_probe or mixed then
    plan_next(self, iteration)
    return false
  end
  local before = self.rule.value
  local m = self.measure(self.rule, model, x, y, prediction, self.recent, second)
  local after = self.rule:next(m)
  self.nfe = self.nfe + m.nfe
  self.next_probe = iteration + (self.rule.interval or self.every)
  self.history[#self.history + 1] = {iteration = iteration, value = before, next = after, train = m.train,
    test = m.test, distance = m.distance,
                                     nfe = m.nfe}
  plan_next(self, iteration)
  if after == before then return false end
  choose(self, after)
  return true
end

local MOST_IN_A_ROW = 4 -- rejections of a window; then it is taken as it is

--- Accept the window that ends with an iteration, or reject it and choose a finer solver (windows.lua).
-- spent: {from = iteration before the window, batch = size of the batches, nfe = its evaluations}.
function methods.judge(self, iteration, model, data, spent)
  local times, nfe = self.check(self.rule.value, model, data, iteration)
  self.nfe = self.nfe + nfe / spent.batch
  if times <= 1 or self.in_a_row == MOST_IN_A_ROW or not self.rule:refine(times) then
    self.in_a_row = 0
    return true
  end
  self.in_a_row, self.rejected, self.nfe = self.in_a_row + 1, self.rejected + 1, self.nfe + spent.nfe
  self.next_probe = spent.from + 1
  plan_next(self, spent.from)
  choose(self, self.rule.value)
  return false
end

--- What is needed to go on later, as a table of tensors that tide.save takes: the rule's numbers, when the
-- next look is due, the looks so far.
function methods.state(self)
  return {made_with = checkpoint.text(self.made_with), rule = checkpoint.pack(self.rule),
    recent = checkpoint.list(self.recent),
          looks = checkpoint.columns(self.history), at = checkpoint.pack{next_probe = self.next_probe,
            nfe = self.nfe, mixing = self.mixing, pairing = self.pairing,
            rejected = self.rejected}}
end

--- Go on from a state, which must come from an adaption that was made with the same options.
function methods.load_state(self, state)
  if type(state) ~= "table" or type(state.rule) ~= "table" or not state.rule.value
    or type(state.at) ~= "table" then
    raise("adaption: this is not a state that adaption:state() returned")
  end
  local difference = checkpoint.difference(checkpoint.untext(state.made_with), self.made_with)
  if difference then raise("adaption: the state is of another adaption: " .. difference) end
  checkpoint.unpack(state.rule, self.rule)
  for name, v in pairs(checkpoint.unpack(state.at, {})) do self[name] = v end
  self.recent, self.history = checkpoint.unlist(state.recent), checkpoint.records(state.looks)
  choose(self, self.rule.value)
end

--- new{rule =, every =, first = iteration of the first look, measure = function(rule, model, x, y,
-- prediction, recent, second) -> m, options_of = function(value) -> solver options, mixed_of =, mix =,
-- pair_of = function(value) -> pair, window = iterations or nil, check = function(value, model, data,
-- iteration) -> error in units of what is allowed, evaluations of one sample, made_with = options}; recent:
-- evaluations of the last five training solves; made_with: what a state must agree in.
function M.new(fields)
  fields.made_with = checkpoint.words(fields.made_with)
  fields.history, fields.recent, fields.nfe, fields.rejected, fields.in_a_row = {}, {}, 0, 0, 0
  choose(fields, fields.rule.value)
  fields.next_probe = fields.first or 1
  plan_next(fields, 0)
  return setmetatable(fields, meta)
end

-- ---- checks that rules share ----

--- The rule called `name` out of a table of constructors, or a rule of the caller's own: {value =, next =
-- function(self, m)}.
function M.find_rule(where, rules, rule, opts)
  if type(rule) == "table" then
    if type(rule.value) ~= "number" or type(rule.next) ~= "function" then
      raise(("%s: a rule of your own must be a table {value = number, next = function(self, m) -> number}, "
        .. "got value = %s, next = %s"):format(where,
        show(rule.value), show(rule.next)))
    end
    return rule
  end
  if not rules[rule] then
    raise(("%s: %s"):format(where, options.unknown("rule", rule, options.sorted_keys(rules))))
  end
  return rules[rule](opts)
end

--- Is the change of the accuracy within the threshold? A tie is; NaN and a solve that blew up (nil) are not.
-- Accuracies are counts over counts: their differences carry rounding, which must not break ties.
function M.within(a, b, threshold)
  return a ~= nil and b ~= nil and math.abs(a - b) <= threshold + 1e-9
end

return M
