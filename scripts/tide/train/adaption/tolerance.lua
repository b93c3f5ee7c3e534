--- Tolerance adaption for adaptive solvers: the counterpart of step adaption (ResNet After All?, appendix
-- B.6, and the authors' code).
--
-- The tolerance is halved when a tighter solve changes the accuracy of a batch by more than 0.1, else
-- multiplied by 1.1, unless that saves no evaluations. dopri5 is tested by itself at a tenth of the
-- tolerance, fehlberg21 by dopri5 at a fifth; a test that takes no more evaluations than the training solve
-- says nothing, so its tolerance is divided by 10 again.
--   "published"  as the code does it: it compares with a log entry that is not yet written, which is 0 here,
--                so every test passes at once
--   "corrected"  with the evaluations that the last training solves really took, and a bound on the divisions

local core = require "tide.core"
local adaption = require "tide.train.adaption"
local ode = require "tide.ode"
local options = require "tide.base.options"
local shown = require "tide.base.show"

local M = {}
local raise = core.raise

-- ---- rules ----

-- All of the last five solves took exactly nfe evaluations: a looser tolerance would save nothing.
local function saves_nothing(recent, nfe)
  if #recent < 5 then return false end
  for i = #recent - 4, #recent do if recent[i] ~= nfe then return false end end
  return true
end

-- m = {train =, test = accuracies, recent = evaluations of the last training solves, retest =
-- function(tolerance) -> accuracy, evaluations}.
local meta = {__name = "tolerance rule", __index = {next = function(self, m)
  local tolerance = self.value
  if not adaption.within(m.train, m.test, self.threshold) then
    self.value = math.max(self.smallest, 0.5 * tolerance)
    return self.value
  end
  local larger = math.min(self.largest, 1.1 * tolerance)
  if larger > tolerance then
    local accuracy, nfe = m.retest(larger)
    if adaption.within(accuracy, m.test, self.threshold) and not saves_nothing(m.recent, nfe) then
      self.value = larger
    end
  end
  return self.value
end}, __tostring = shown.as_table}

local rule_spec = {
  value = {"number", default = 1e-6, check = options.positive},
  threshold = {"number", default = 0.1, check = options.positive},
  smallest = {"number", default = 1e-8, check = options.positive},
  largest = {"number", default = 1, check = options.positive},
}

local function make(opts)
  local o = options.check("tolerance_adaption.rule", opts, rule_spec, 4)
  if o.smallest > o.largest then
    raise(("tolerance_adaption.rule: smallest must be <= largest = %g, got %g"):format(o.largest, o.smallest))
  end
  o.value = math.max(o.smallest, math.min(o.largest, o.value))
  return setmetatable(o, meta)
end
local rules = {published = make, corrected = make}

--- rule(name, opts) -> {value =, next = function(self, m) -> value}: a rule alone, without solves. The two
-- differ in what is measured.
function M.rule(name, opts) return adaption.find_rule("tolerance_adaption.rule", rules, name, opts) end

-- ---- measuring ----

local MOST_DIVISIONS = 6

local function solver_options(o, method, tolerance)
  return {method = method, rtol = math.max(tolerance, o.smallest_rtol), atol = tolerance}
end

local testers = {dopri5 = {"dopri5", 10}, fehlberg21 = {"dopri5", 5}}

-- A tighter solve that really is one: more evaluations than the training solve took.
local function tight_solve(o, rule, model, x, recent)
  local method, divisor = table.unpack(testers[o.method])
  local tolerance, train_nfe, total = rule.value / divisor, o.rule == "corrected" and recent[#recent] or 0, 0
  for division = 0, MOST_DIVISIONS do
    local result, nfe = adaption.measured(function()
      return model(x, {solver = solver_options(o, method, tolerance)})
    end)
    total = total + nfe
    if not result or nfe > train_nfe or division == MOST_DIVISIONS or tolerance < o.smallest_rtol / 100 then
      return result, total
    end
    tolerance = tolerance / 10
  end
end

local function measure(o)
  return function(rule, model, x, y, prediction, recent)
    local m = {train = adaption.accuracy(prediction, y), recent = recent}
    local tight
    tight, m.nfe = tight_solve(o, rule, model, x, recent)
    m.test, m.distance = tight and adaption.accuracy(tight, y), tight
      and adaption.distance(prediction, tight, y) or 1
    function m.retest(tolerance)
      local again, nfe = adaption.measured(function()
        return model(x, {solver = solver_options(o, o.method, tolerance)})
      end)
      m.nfe = m.nfe + nfe
      return again and adaption.accuracy(again, y), nfe
    end
    return m
  end
end

local new_spec = {
  rule = {"string|table", default = "corrected"},
  method = {"string", default = "dopri5", check = options.one_of{"dopri5", "fehlberg21"}},
  value = {"number"}, every = {"integer", default = 50, check = options.at_least(1)},
  dtype = {"string", default = "float32",
  check = options.one_of{"float32", "float64"}}, threshold = {"number"}, smallest = {"number"},
  largest = {"number"},
  smallest_rtol = {"number", check = options.positive},
}

--- new{rule =, method =, ...} -> adaption, for tide.train{adaption =}: see help("tolerance_adaption.new").
function M.new(opts)
  local where = "tolerance_adaption.new"
  local o = options.check(where, opts, new_spec)
  local least = ode.smallest_rtol(o.dtype)
  o.smallest_rtol = o.smallest_rtol or least
  if o.smallest_rtol < least then
    raise(("%s: smallest_rtol must be >= %.2g, what %s can resolve, got %g"):format(where, least, o.dtype,
      o.smallest_rtol))
  end
  local rule = adaption.find_rule(where, rules, o.rule, {value = o.value, threshold = o.threshold,
    smallest = o.smallest, largest = o.largest})
  return adaption.new{rule = rule, every = o.every, measure = measure(o), made_with = o,
                      options_of = function(v) return solver_options(o, o.method, v) end}
end

return M
