--- Step adaption during training: is the model still the flow of an ODE, and how coarse may its steps be?
-- (ResNet After All?, section 5)
--
-- Every so many iterations the current batch is solved once more by a finer method. Four rules make the next
-- step of it:
--   "stated"     Algorithm 1 of the paper: half the step when the accuracy moves by more than 0.1, else 1.1
--                times the step
--   "published"  the authors' code: as stated, with a finer test solver, a retest of the larger step, and a
--                bound on the number of steps
--   "steady"     ours. Both rules above must overstep the limit again and again to know where it is. This one
--                reads a signal that says how far off the limit is (adaption.distance, and the change of the
--                accuracy), leaves the whole number of steps alone while it lies in a band, refines in
--                proportion when it is above, and coarsens after a patience that doubles with each failure.
--                Some training steps are taken with a finer solver, so that the field cannot settle on the
--                errors of the coarse one.
--   "pairs"      ours: every fifth training step goes through two solvers at once, so that the field is
--                trained for both and looking costs nothing; see pairs.lua.

local core = require "tide.core"
local adaption = require "tide.train.adaption"
local flow = require "tide.nn.flow"
local ode = require "tide.ode"
local options = require "tide.base.options"
local shown = require "tide.base.show"
local pair_rule = require "tide.train.adaption.pairs"
local tree = require "tide.base.tree"

local M = {}
local raise, show = core.raise, options.show

-- ---- rules: numbers in, a number out ----

local rules = {}

local function rule_class(next_value)
  local meta = {__name = "step rule", __index = {next = next_value}, __tostring = shown.as_table}
  return function(fields) return setmetatable(fields, meta) end
end

-- m = {train = accuracy with the training solver, test = with the finer one}. The step is capped by the span:
-- longer ones are the same.
local stated = rule_class(function(self, m)
  if adaption.within(m.train, m.test, self.threshold) then
    self.value = math.min(self.span, 1.1 * self.value)
  else
    self.value = math.max(self.span / self.max_steps, 0.5 * self.value)
  end
  return self.value
end)

-- m as above, and retest(h) = accuracy of the training method with the step h.
local published = rule_class(function(self, m)
  local h = self.value
  if not adaption.within(m.train, m.test, self.threshold) then
    if 2 * self.span / h > self.max_steps then
      -- the mean of the two numbers of steps: the bound is only ever approached
      h = 2 * self.span / (self.span / h + self.max_steps)
    else
      h = 0.5 * h
    end
  else
    local larger = math.min(self.span, 1.1 * h)
    if larger > h and adaption.within(m.retest(larger), m.test, self.threshold) then h = larger end
  end
  self.value = h
  return h
end)

-- Above the band. One probe may be an accident of the batch or of the optimiser: a second one, soon after,
-- must confirm it, unless it is far above.
local function refine(self, e)
  local doubt = self.above or e >= 2 * self.high and e
  self.quiet, self.above, self.interval = 0, e, self.soon
  if not doubt then return end
  e, self.interval = math.min(e, doubt), self.every
  -- After a refinement the field needs some training to follow; while the signal falls, that is happening.
  if self.refined and e < self.healing * self.refined then
    self.refined = e
    return
  end
  -- A coarsening that has to be taken back makes the next one wait twice as long.
  if self.coarsened then self.patience, self.coarsened = math.min(2 * self.patience, 1 << 20), nil end
  local factor = math.min(2, math.max(self.smallest_change, (e / self.high) ^ self.gain))
  self.value = math.min(self.max_steps, math.max(self.value + 1, math.ceil(self.value * factor)))
  self.above, self.refined = nil, e
end

-- Below the band for `patience` full intervals: fewer steps, as the largest signal of that time allows.
local function coarsen(self)
  local factor = math.min(1.5, math.max(self.smallest_change, (self.low / self.worst) ^ self.gain))
  self.value = math.max(self.min_steps, math.min(self.value - 1, math.floor(self.value / factor)))
  self.quiet, self.coarsened, self.interval = 0, 0, self.soon
end

-- The value is a whole number of steps; m.distance measures the disagreement of the solvers continuously, in
-- 0..1. `interval` tells when the next probe is due: soon after a change, then backing off to `every`
-- iterations.
local steady = rule_class(function(self, m)
  local e, since = m.distance, self.interval
  if not (e <= self.high) then -- NaN as well
    refine(self, e == e and math.min(e, 1) or 1)
    self.out_of_band = true
    return self.value
  end
  self.above, self.refined, self.out_of_band, self.interval = nil, nil, false, math.min(self.every, 2 * since)
  if self.coarsened then
    self.coarsened = self.coarsened + since
    if self.coarsened > 2 * self.patience * self.every then self.coarsened = nil end -- it has held
  end
  if e >= self.low then
    self.quiet = 0
  else
    self.quiet, self.worst = self.quiet + since, math.max(e, self.quiet > 0 and self.worst or 0)
  end
  if self.quiet >= self.patience * self.every and self.value > self.min_steps then coarsen(self) end
  return self.value
end)

local fixed_spec = {
  value = {"number", required = true, check = options.positive},
  threshold = {"number", default = 0.1, check = options.positive},
  max_steps = {"integer", default = 500, check = options.at_least(1)},
  span = {"number", default = 1, check = options.positive},
}
local steady_spec = {
  value = {"integer", required = true, check = options.at_least(1)},
  high = {"number", default = 0.1, check = options.positive},
  low = {"number", default = 0.05, check = options.positive},
  patience = {"integer", default = 4, check = options.at_least(1)},
  gain = {"number", default = 0.7, check = options.positive},
  healing = {"number", default = 0.8, check = options.between(0, 1)},
  smallest_change = {"number", default = 1.1, check = function(v)
    return options.finite(v) and v > 1, "> 1"
  end},
  min_steps = {"integer", check = options.at_least(1)},
  max_steps = {"integer", default = 500, check = options.at_least(1)},
  every = {"integer", default = 50, check = options.at_least(1)},
}

local WHERE = "step_adaption.rule"

function rules.stated(opts) return stated(options.check(WHERE, opts, fixed_spec, 4)) end
function rules.published(opts) return published(options.check(WHERE, opts, fixed_spec, 4)) end

-- The classes are undecided at first, and any step will do; a field that has learned with far too long ones
-- is hard to bring back: no fewer than half the first number of steps.
local function whole_steps(opts, spec)
  local o = options.check(WHERE, opts, spec, 5)
  o.min_steps = math.tointeger(o.min_steps) or math.max(1, math.tointeger(o.value) // 2)
  if o.min_steps > o.max_steps then
    raise(("%s: min_steps must be <= max_steps = %d, got %d"):format(WHERE, o.max_steps, o.min_steps))
  end
  o.value = math.tointeger(math.max(o.min_steps, math.min(o.max_steps, o.value)))
  return o
end

function rules.steady(opts)
  local o = whole_steps(opts, steady_spec)
  if o.low >= o.high then raise(("%s: low must be < high = %g, got %g"):format(WHERE, o.high, o.low)) end
  o.soon = math.max(1, o.every // 5)
  o.quiet, o.interval = 0, o.soon
  return steady(o)
end

function rules.pairs(opts) return pair_rule.new(whole_steps(opts, pair_rule.spec)) end

--- rule(name, opts) -> {value =, next = function(self, m) -> value}: a rule alone, without solves.
function M.rule(name, opts) return adaption.find_rule(WHERE, rules, name, opts) end

-- ---- solvers ----

local orders, stages = {}, {}
for _, m in ipairs(ode.methods()) do orders[m.name], stages[m.name] = m.default_order or m.order, m.stages end

local one_better = {[1] = "midpoint", [2] = "rk4", [3] = "rk4"}

-- The finer solver for a step h: the next better method on the same grid; for rk4 half the step.
local function finer_on_grid(method, h)
  local better = one_better[orders[method]]
  return {method = better or method, step_size = better and h or h / 2}
end

-- For a whole number of steps: rk4 on the same grid. A midpoint solve with few steps can agree with an Euler
-- solve while both are far from the flow.
local function finer_steps(method, n)
  local better = one_better[orders[method]]
  return {method = better and "rk4" or method, steps = better and n or 2 * n}
end

-- The second solver of a pair: the next better method, so that both together cost three solves; a midpoint
-- solve with few steps can agree with an Euler solve while both are far from the flow.
local function second_of_pair(method, n)
  local better = n >= 8 and one_better[orders[method]] or "rk4"
  return {method = better, steps = orders[method] < 4 and n or 2 * n}
end

-- What some training steps are taken with: the next better method costs less and suffices to pull the field
-- off one solver's errors.
local function mixed_steps(method, n)
  local better = one_better[orders[method]]
  return {method = better or method, steps = better and n or 2 * n}
end

-- The authors': a step of a method one order (Euler) or two orders (midpoint) better that is 50 times more
-- accurate, for a span of 1.
local function finer_published(where, method, h)
  if method == "euler" then return {method = "midpoint", step_size = math.min(h, math.sqrt(h / 50))} end
  if method == "midpoint" then return {method = "rk4", step_size = math.min(h, (h * h / 50) ^ 0.25)} end
  raise(('%s: the published rule trains with "euler" or "midpoint", got %s; use rule "stated" or "steady"')
    :format(where, show(method)))
end

--- finer(rule, method, value) -> solver options of the test solver for a step size ("stated", "published") or
-- a number of steps ("steady").
function M.finer(rule, method, value)
  local where = "step_adaption.finer"
  if not orders[method] then
    raise(("%s: %s"):format(where, options.unknown("method", method, options.sorted_keys(orders))))
  end
  if rule ~= "published" and not rules[rule] then
    raise(("%s: %s"):format(where, options.unknown("rule", rule, options.sorted_keys(rules))))
  end
  if type(value) ~= "number" or not (value > 0) then
    raise(("%s: value must be a number > 0, got %s"):format(where, show(value)))
  end
  if rule == "published" then return finer_published(where, method, value) end
  local of = {steady = finer_steps, pairs = second_of_pair}
  return (of[rule] or finer_on_grid)(method, value)
end

-- Mean over the samples of the 2-norm of the last axis: what the published code takes for a norm (of an image
-- it sees rows of pixels).
local function last_axis_norm(v) return v:square():sum(-1):sqrt():mean():item() end

local initial_spec = {method = {"string", default = "euler"}, published = {"boolean", default = false}}

--- initial_step(model, x, {method =, published =}) -> number: Hairer's starting step for the batch x, with
-- scale 1 in place of tolerances (the paper names none), at most the span; published = true: with the norms
-- of the authors' code.
function M.initial_step(model, x, opts)
  local where = "step_adaption.initial_step"
  local o = options.check(where, opts, initial_spec)
  if not orders[o.method] then
    raise(("%s: %s"):format(where, options.unknown("method", o.method, options.sorted_keys(orders))))
  end
  if not tree.is_tensor(x) then
    raise(("%s: x must be a batch, a tensor, got %s"):format(where, show(x)))
  end
  local parts = flow.of(where, model)
  local span = parts.block.solver.t or {0, 1}
  local y0, f, p, t0 = parts.before(x), parts.block.field, orders[o.method], span[1]
  local longest = math.abs(span[#span] - t0)
  if not o.published then return math.min(longest, ode.initial_step(f, t0, y0, p, 0, 1)) end
  local f0 = f(t0, y0)
  local d0, d1 = last_axis_norm(y0), last_axis_norm(f0)
  local h0 = (d0 < 1e-5 or d1 < 1e-5) and 1e-6 or 0.01 * d0 / d1
  local d2 = last_axis_norm(f(t0 + h0, y0 + h0 * f0) - f0) / h0
  local h1 = math.max(d1, d2) <= 1e-15 and math.max(1e-6, h0 * 1e-3)
    or (0.01 / math.max(d1, d2)) ^ (1 / (p + 1))
  return math.min(longest, 100 * h0, h1)
end

-- ---- the adaption ----

local new_spec = {
  rule = {"string|table", default = "pairs"}, method = {"string", default = "euler"}, model = {"any"},
  x = {"tensor"}, value = {"number"},
  every = {"integer", check = options.at_least(1)},
  mix = {"integer", default = 20, check = options.at_least(0)},
  penalty = {"number", check = options.not_negative}, window = {"integer", check = options.at_least(1)},
  smoothing = {"number"}, target = {"number"}, limit = {"number"},
  threshold = {"number"}, max_steps = {"integer"}, min_steps = {"integer"}, span = {"number"},
  high = {"number"}, low = {"number"}, patience = {"integer"},
  gain = {"number"}, healing = {"number"}, smallest_change = {"number"},
}
local of_adaption = {rule = true, method = true, model = true, x = true, every = true, mix = true,
  penalty = true, window = true}

-- With fewer evaluations it is chance whether some trainings leave a plateau: one of the spheres ends at 74 %
-- if it may take 2 Euler steps, at 99 % if 3. With 8 none of 45 stayed on one.
local FEWEST = 8

-- What was asked for that belongs to the rule.
local function rule_options(o, start)
  local out = {}
  for key in pairs(new_spec) do if not of_adaption[key] then out[key] = o[key] end end
  if o.rule == "pairs" and not o.value and not o.min_steps then
    out.min_steps = math.max(start // 2, math.ceil(FEWEST / stages[o.method]))
    if o.max_steps then out.min_steps = math.min(out.min_steps, o.max_steps) end
  end
  out.value = out.value or start
  if o.rule == "steady" then out.every = o.every end
  return out
end

local ACCURACY_WEIGHT = 1.5 -- so that the top of the band, 0.1, is a change of the accuracy by 0.067

-- The batch once more with the finer solver; accuracies, distance and the retest of another step, with what
-- they cost.
local function measure(finer_of, options_of)
  return function(rule, model, x, y, prediction, _, second)
    local m, better = {train = adaption.accuracy(prediction, y), nfe = 0}, second
    if not second then
      better, m.nfe = adaption.measured(function() return model(x, {solver = finer_of(rule.value)}) end)
    end
    m.test, m.distance = better and adaption.accuracy(better, y), better
      and adaption.distance(prediction, better, y) or 1
    -- A change of the accuracy, which must stay below 0.1 (Algorithm 1), weighs more than labels that change
    -- both ways.
    if m.train and m.test then
      m.distance = math.max(m.distance, ACCURACY_WEIGHT * math.abs(m.train - m.test))
    end
    function m.retest(value)
      local again, nfe = adaption.measured(function() return model(x, {solver = options_of(value)}) end)
      m.nfe = m.nfe + nfe
      return again and adaption.accuracy(again, y)
    end
    return m
  end
end

local POINTS, ALLOWED = 256, 0.07 -- of the check of a window: samples; change of the accuracy, or distance

-- Some of the data by the training solver and by a tight one.
local function check_window(method)
  return function(n, model, data, iteration)
    local places = core.permutation(#data.x, iteration):slice(1, 1, math.min(POINTS, #data.x))
    local x, y = data.x:take(places), data.y:take(places)
    local function solved(solver)
      return adaption.measured(function() return model(x, {solver = solver}) end)
    end
    local own, cost = solved{method = method, steps = n}
    local tight, more = solved{method = "rk4", steps = math.max(8, orders[method] < 4 and n or 2 * n)}
    local e = 1
    if own and tight then
      local a, b = adaption.accuracy(own, y), adaption.accuracy(tight, y)
      e = a and math.abs(a - b) or adaption.distance(own, tight, y)
    end
    return e / ALLOWED, (cost + more) * #x
  end
end

-- The first step size, or number of steps: what was given, or by Hairer's rule.
local function start_of(where, o, whole)
  if o.value or type(o.rule) == "table" then return o.value end
  if not o.model or not o.x then
    raise(where .. ": give value (the first step size, or number of steps for \"steady\" and \"pairs\"), or "
      .. "model and a batch x, from which Hairer's rule finds it")
  end
  local start = M.initial_step(o.model, o.x, {method = o.method, published = o.rule == "published"})
  if not whole then return start end
  local span = flow.of(where, o.model).block.solver.t or {0, 1}
  return math.max(1, math.ceil(math.abs(span[#span] - span[1]) / start - 1e-9))
end

--- new{rule =, method =, model =, x =, ...} -> adaption, for tide.train{adaption =}: see
-- help("step_adaption.new").
function M.new(opts)
  local where = "step_adaption.new"
  local o = options.check(where, opts, new_spec)
  if not orders[o.method] then
    raise(("%s: %s"):format(where, options.unknown("method", o.method, options.sorted_keys(orders))))
  end
  local in_pairs = o.rule == "pairs"
  o.every = o.every or in_pairs and 5 or 50
  local whole = o.rule == "steady" or in_pairs or type(o.rule) == "table" and o.rule.whole == true
  local rule = adaption.find_rule(where, rules, o.rule, rule_options(o, start_of(where, o, whole)))
  if o.penalty and not in_pairs then
    raise(('%s: penalty is for rule = "pairs", which solves by two solvers, got rule = %s'):format(where,
      show(o.rule)))
  end
  if o.window and not rule.refine then
    raise(('%s: window is for rule = "pairs", or a rule of your own with refine(self, times) -> number or '
      .. "nil, got rule = %s"):format(where, show(o.rule)))
  end
  local function options_of(value)
    return whole and {method = o.method, steps = value} or {method = o.method, step_size = value}
  end
  local function finer_of(value)
    if o.rule == "published" then return finer_published(where, o.method, value) end
    return (in_pairs and second_of_pair or whole and finer_steps or finer_on_grid)(o.method, value)
  end
  local penalty = pair_rule.penalty(o.penalty or 0.3)
  local function pair_of(value) return {solver = second_of_pair(o.method, value), penalty = penalty} end
  local function mixed_of(value) return mixed_steps(o.method, value) end
  finer_of(rule.value)
  -- The authors' code looks behind each 50 iterations, first after 50.
  local theirs = o.rule == "stated" or o.rule == "published"
  return adaption.new{rule = rule, every = o.every, first = theirs and o.every or 1,
    options_of = options_of, pair_of = in_pairs and pair_of or nil,
    mixed_of = whole and not in_pairs and mixed_of or nil, mix = whole and o.mix or 0,
    measure = measure(finer_of, options_of), made_with = o, window = o.window,
    check = check_window(o.method)}
end

return M
