-- Step and tolerance adaption: the rules on sequences computed by hand, the finer solvers, and trainings with
-- them.
local check = require "check"
local tide = require "tide"
local steps, tolerances = tide.step_adaption, tide.tolerance_adaption
local adaption = require "tide.adaption"

local tests = {}

local function near(a, b)
  assert(math.abs(a - b) <= 1e-12 * math.max(1, math.abs(b)), ("%.17g, expected %.17g"):format(a, b))
end

tests["stated: Algorithm 1 by hand"] = function()
  local rule = steps.rule("stated", {value = 0.25})
  near(rule:next{train = 0.9, test = 0.7}, 0.125)            -- worse by more than 0.1: half
  near(rule:next{train = 0.7, test = 0.9}, 0.0625)           -- |train - test|: better counts as well
  near(rule:next{train = 0.9, test = 0.85}, 0.06875)         -- else 1.1 times
  near(rule:next{train = 0.9, test = 0.8}, 0.075625)         -- exactly 0.1 is not more than 0.1
  near(rule:next{train = 0.9}, 0.0378125)                    -- a test solve that blew up
  rule = steps.rule("stated", {value = 0.95})
  near(rule:next{train = 1, test = 1}, 1)                    -- no step is longer than the span
  near(rule:next{train = 1, test = 1}, 1)
  rule = steps.rule("stated", {value = 0.3, max_steps = 4})
  near(rule:next{train = 1, test = 0}, 0.25)                 -- nor shorter than span / max_steps
end

tests["published: retest and the bound that is only approached"] = function()
  local asked
  local function retest(accuracy) return function(h) asked = h return accuracy end end
  local rule = steps.rule("published", {value = 0.25})
  near(rule:next{train = 0.9, test = 0.79}, 0.125)
  near(rule:next{train = 0.9, test = 0.85, retest = retest(0.9)}, 0.1375)
  near(asked, 0.1375)
  near(rule:next{train = 0.9, test = 0.85, retest = retest(0.7)}, 0.1375) -- the longer step is worse: keep
  near(rule:next{train = 0.9, test = 0.85, retest = retest(nil)}, 0.1375)
  rule = steps.rule("published", {value = 1 / 300})
  -- 600 steps would be too many: the mean of 300 and 500
  near(rule:next{train = 1, test = 0}, 1 / 400)
  near(rule:next{train = 1, test = 0}, 1 / 450)
  rule = steps.rule("published", {value = 1})
  asked = nil
  near(rule:next{train = 1, test = 1, retest = retest(1)}, 1)
  assert(asked == nil)                                       -- a step of the whole span is not tested again
end

tests["steady: band, confirmation, patience"] = function()
  local rule = steps.rule("steady", {value = 20, high = 0.1, low = 0.05, patience = 2, gain = 1, every = 50,
    min_steps = 10})
  -- in the band: nothing, the next look later
  assert(rule:next{distance = 0.07} == 20 and rule.interval == 20)
  assert(rule:next{distance = 0.12} == 20 and rule.interval == 10) -- above: look again soon
  assert(rule:next{distance = 0.14} == 24)                         -- confirmed: 20 * min(0.12, 0.14) / 0.1
  assert(rule:next{distance = 0.11} == 24)                         -- above once more ...
  assert(rule:next{distance = 0.09} == 24 and rule.above == nil)   -- ... was an accident
  -- far above needs no confirmation; at most twice as many
  assert(rule:next{distance = 0.25} == 48)
  assert(rule:next{distance = 0 / 0} == 96)                       -- NaN counts as 1
  rule = steps.rule("steady", {value = 20, high = 0.1, low = 0.05, patience = 2, gain = 1, every = 50,
    min_steps = 10})
  local looks = 0
  -- intervals 10, 20, 40, 50: 120 iterations >= 2 * 50
  repeat looks = looks + 1 until rule:next{distance = 0.04} < 20
  assert(looks == 4 and rule.value == 16 and rule.coarsened == 0, rule.value) -- 20 / (0.05 / 0.04)
  rule:next{distance = 0.12}
  -- taken back: the next one waits twice as long
  assert(rule:next{distance = 0.12} == 20 and rule.patience == 4)
  rule = steps.rule("steady", {value = 10, min_steps = 10, patience = 1})
  for _ = 1, 20 do assert(rule:next{distance = 0} == 10) end       -- never below min_steps
end

-- A signal that Euler's error would give, 1 / steps: the rule settles where it lies in the band, and stays.
tests["steady: no oscillation"] = function()
  for _, start in ipairs{1, 400} do
    local rule = steps.rule("steady", {value = start, min_steps = 1})
    local last
    for i = 1, 2000 do
      local value = rule:next{distance = 1.5 / rule.value}
      if i > 1000 then assert(value == (last or value), i) end
      last = value
    end
    assert(1.5 / last <= 0.1 and last <= 40, last)
  end
end

tests["pairs: the pull to the target, jumps that are confirmed, slow release"] = function()
  local function new(o)
    o.value, o.min_steps, o.target = o.value or 20, o.min_steps or 1, o.target or 0.06
    return steps.rule("pairs", o)
  end
  local rule = new{smoothing = 0.5}
  assert(rule:next{distance = 0.06} == 20)                 -- at the target
  assert(rule:next{distance = 0.24} == 30)                 -- 0.2 log 2 + 0.4 log 2 = 0.416, at most log 1.5
  near(rule.signal, math.log(0.12) - math.log(1.5) / 2)    -- more steps: half of that is taken as done
  rule = new{}                                             -- smoothing 0.1
  rule:next{distance = 0.06}
  assert(rule:next{distance = 0.24} == 20)                 -- far above, once: u = 0.6 * 0.139, too little
  near(rule.signal, math.log(0.06) + 0.1 * math.log(4))
  -- and again: 0.35 times the lower of both, 20 * 3 ^ 0.35 = 29.4
  assert(rule:next{distance = 0.18} == 30)
  rule = new{}
  rule:next{distance = 0.06}
  rule:next{distance = 0.24}
  rule:next{distance = 0.06}
  assert(rule:next{distance = 0.24} == 20 and rule.value == 20) -- not in a row
  rule = new{}
  for look, n in ipairs{20, 20, 20, 19, 19, 19, 19, 18} do -- 20 / 1.015 ^ looks, rounded up
    assert(rule:next{distance = 0.006} == n, look)
  end
  rule = new{min_steps = 20}
  for _ = 1, 10 do assert(rule:next{distance = 0} == 20) end
  rule = new{max_steps = 21}
  for _ = 1, 10 do rule:next{distance = 0 / 0} end         -- NaN counts as 1
  assert(rule.value == 21)
  rule = new{target = 0.08, limit = 0.3}
  rule:next{distance = 0.08}
  rule:next{distance = 0.24}
  assert(rule:next{distance = 0.24} == 20)                 -- below the limit there is no jump
  rule = new{}
  assert(rule:refine(1.2) == 27)                           -- 20 * 1.1 * 1.2
  assert(rule:refine(100) == 53)                           -- at most twice 26.4
  assert(rule:refine(0) == 54)                             -- at least one more
  assert(new{max_steps = 20}:refine(2) == nil)
end

tests["pairs: no oscillation"] = function()
  for _, start in ipairs{1, 400} do
    local rule = steps.rule("pairs", {value = start, min_steps = 1})
    local last
    for i = 1, 2000 do
      local value = rule:next{distance = math.min(1, 1.5 / rule.value)}
      if i > 1000 then assert(value == (last or value), i) end
      last = value
    end
    assert(last >= 14 and last <= 32, last) -- the target within the dead zone, 0.07 exp(+-0.4)
  end
end

-- Of the penalty: logits that say nothing weigh nothing, sure ones all.
tests["pairs: the penalty counts as far as the model has decided"] = function()
  local penalty = require("tide.train.adaption.pairs").penalty(0.5)
  near(penalty(tide.tensor{{1, 0}, {0, 0}}, tide.tensor{{0, 0}, {0, 0}}):item(), 0)
  local sure = tide.tensor({{50, 0}, {0, 50}}, {dtype = "float64"})
  near(penalty(sure + 2, sure):item(), 0.5 * 4)
  local p = 1 / (1 + math.exp(-1))
  local entropy = -(p * math.log(p) + (1 - p) * math.log(1 - p)) / math.log(2)
  local half = tide.tensor({{1, 0}}, {dtype = "float64"})
  local value = penalty(half + 2, half):item()
  assert(math.abs(value - 0.5 * 4 * (1 - entropy)) < 1e-10, value)
  local signs = tide.tensor({{0.5}, {-3}}, {dtype = "float64"}) -- targets -1/+1: the size, at most 1
  near(penalty(signs + 2, signs):item(), 0.5 * 4 * 0.75)
  -- how decided it is, is no way to make it small
  local slope = tide.grad(function(b) return penalty(half, b) end)(half + 1)
  near(slope:select(1, 1):select(1, 1):item(), 0.5 * (1 - entropy) * 2 * 1 / 2)
end

-- Where Hairer's rule chooses the first number of steps, it and all others take at least 8 evaluations.
tests["pairs: no fewer than 8 evaluations, unless a number of steps is given"] = function()
  local model = tide.nn.odenet{dim = 2, hidden = 4, seed = 1}
  local x = tide.randn({8, 2}, {seed = 1})
  local function least(o)
    o.rule, o.model, o.x = "pairs", model, x
    local rule = steps.new(o).rule
    for _ = 1, 500 do rule:next{distance = 0} end
    return rule.value
  end
  assert(math.ceil(1 / steps.initial_step(model, x, {method = "euler"})) < 8)
  assert(least{} == 8 and least{method = "midpoint"} == 4 and least{method = "rk4"} == 2)
  assert(least{value = 4} == 2 and least{min_steps = 1} == 1 and least{max_steps = 3} == 3)
end

tests["finer solvers"] = function()
  local function is(options, method, size)
    assert(options.method == method) near(options.step_size or options.steps, size)
  end
  is(steps.finer("stated", "euler", 0.25), "midpoint", 0.25)
  is(steps.finer("stated", "midpoint", 0.25), "rk4", 0.25)
  is(steps.finer("stated", "rk4", 0.25), "rk4", 0.125)
  is(steps.finer("steady", "euler", 16), "rk4", 16)
  is(steps.finer("steady", "rk4", 16), "rk4", 32)
  is(steps.finer("pairs", "euler", 16), "midpoint", 16)
  is(steps.finer("pairs", "euler", 7), "rk4", 7) -- few midpoint steps may agree with Euler's
  is(steps.finer("pairs", "midpoint", 16), "rk4", 16)
  is(steps.finer("pairs", "rk4", 16), "rk4", 32)
  -- 50 times more accurate: 8, 15, 23 and 64 midpoint steps for 1, 4, 10 and 64 Euler steps
  for n, expected in pairs{[1] = 8, [4] = 15, [10] = 23, [64] = 64} do
    local o = steps.finer("published", "euler", 1 / n)
    assert(o.method == "midpoint" and math.ceil(1 / o.step_size - 1e-9) == expected, n)
  end
  is(steps.finer("published", "midpoint", 0.5), "rk4", (0.25 / 50) ^ 0.25)
  check.fails('the published rule trains with "euler" or "midpoint", got "rk4"', steps.finer, "published",
    "rk4", 0.5)
  check.fails('unknown method "eulr" (did you mean "euler"?)', steps.finer, "stated", "eulr", 0.5)
  check.fails('unknown rule "stable"', steps.finer, "stable", "euler", 0.5)
end

-- dy/dt = -a y: d0 = |y0|, d1 = a |y0|, d2 = a^2 |y0| in the RMS norm.
local function decay(a, count)
  local model = tide.nn.odeblock(function(_, y) return y * -a end, {method = "euler", steps = 4})
  return model, tide.full({count, 1}, 3, {dtype = "float64"})
end

tests["the starting step is Hairer's, at most the span"] = function()
  local model, x = decay(5, 8)
  local h0 = 0.01 / 5
  local d2 = 25 * 3
  near(steps.initial_step(model, x), math.min(100 * h0, (0.01 / d2) ^ 0.5))
  near(steps.initial_step(model, x, {method = "rk4"}), math.min(100 * h0, (0.01 / d2) ^ 0.2))
  -- one column: the norms agree
  near(steps.initial_step(model, x, {published = true}), math.min(100 * h0, (0.01 / d2) ^ 0.5))
  near(steps.initial_step(decay(1e-3, 2)), 1)
  check.fails("model must hold an ODE block", steps.initial_step, tide.nn.linear(2, 2), x)
end

tests["distance of predictions"] = function()
  local y = tide.tensor({1, 2, 1, 2}, {dtype = "int64"})
  local a = tide.tensor{{9, 0}, {0, 9}, {9, 0}, {0, 9}}
  local b = tide.tensor{{9, 0}, {0, 9}, {0, 9}, {9, 0}}
  -- two of four labels
  assert(adaption.distance(a, a, y) == 0 and math.abs(adaption.distance(a, b, y) - 0.5) < 1e-3)
  assert(adaption.flips(a, b, y) == 0.5 and adaption.accuracy(a, y) == 1 and adaption.accuracy(b, y) == 0.5)
  assert(adaption.distance(a, a * (0 / 0), y) == 1)
  local signs = tide.tensor{{1}, {-1}}
  assert(adaption.accuracy(tide.tensor{{0.3}, {0.2}}, signs) == 0.5
    and adaption.flips(tide.tensor{{0.3}, {0.2}}, signs, signs) == 0.5)
  local t = tide.tensor{{1.5}, {2}}
  assert(adaption.accuracy(t, t) == nil and adaption.distance(t, t, t) == 0)
end

tests["tolerances: both rules by hand"] = function()
  local rule = tolerances.rule("corrected", {value = 1e-4})
  near(rule:next{train = 0.9, test = 0.7}, 5e-5)
  local function retest(accuracy, nfe) return function() return accuracy, nfe end end
  near(rule:next{train = 0.9, test = 0.9, retest = retest(0.9, 20), recent = {26, 26, 26, 26, 26}}, 5.5e-5)
  near(rule:next{train = 0.9, test = 0.9, retest = retest(0.7, 20), recent = {26, 26, 26, 26, 26}}, 5.5e-5)
  -- it would save nothing
  near(rule:next{train = 0.9, test = 0.9, retest = retest(0.9, 26), recent = {26, 26, 26, 26, 26}}, 5.5e-5)
  near(rule:next{train = 0.9, test = 0.9, retest = retest(0.9, 26), recent = {20, 26, 26, 26, 26}}, 6.05e-5)
  rule = tolerances.rule("published", {value = 1.5e-8})
  near(rule:next{train = 0.9, test = 0.7}, 1e-8)
end

local function small_task()
  local d = tide.data.three_spheres{n = 200, seed = 3}
  local model = tide.nn.odenet{dim = 2, hidden = 8, out = 2, time = false, seed = 1,
    solver = {method = "euler", steps = 2}}
  return model, d
end

local function train(model, d, chosen, iterations)
  return tide.train{model = model, data = d, optimizer = tide.optim.adam(model, {lr = 1e-2}),
    loss = "cross_entropy", batch = 50, iterations = iterations,
    adaption = chosen, quiet = true}
end

tests["training: looks at iterations 50, 100, 150 and the evaluations are those of the solver"] = function()
  local model, d = small_task()
  local chosen = steps.new{rule = "stated", value = 1 / 8}
  local history = train(model, d, chosen, 170)
  assert(#chosen.history == 3)
  for i, look in ipairs(chosen.history) do assert(look.iteration == 50 * i) end
  for _, look in ipairs(chosen.history) do
    near(look.next, math.abs(look.train - look.test) <= 0.1 + 1e-9 and math.min(1, 1.1 * look.value)
      or look.value / 2)
    assert(look.nfe == 2 * math.ceil(1 / look.value - 1e-9)) -- one midpoint solve on the same grid
  end
  assert(history.nfe_forward[1] == 8)
end

tests["training: mixed steps take the finer solver"] = function()
  local model, d = small_task()
  local chosen = steps.new{rule = "steady", value = 8, mix = 4, high = 0.99, low = 0.98, patience = 1000}
  local history = train(model, d, chosen, 40)
  assert(chosen.rule.value == 8)
  local sum = 0
  for _, nfe in ipairs(history.nfe_forward) do sum = sum + nfe end
  near(sum / #history, (3 * 8 + 16) / 4)
end

tests["training in pairs: one step is that of the mean loss with the penalty"] = function()
  local model, d = small_task()
  local x, y = d.x:slice(1, 1, 50), d.y:slice(1, 1, 50)
  local weights = tide.tree.map(model, function(w) return w:clone() end)
  local a, b = {method = "euler", steps = 8}, {method = "midpoint", steps = 8}
  local penalty = require("tide.train.adaption.pairs").penalty(0.3)
  local value, gradient = tide.value_and_grad(function(m)
    local p, q = m(x, {solver = a}), m(x, {solver = b})
    return (tide.cross_entropy(p, y) + tide.cross_entropy(q, y)) * 0.5 + penalty(p, q)
  end)(weights)
  tide.optim.sgd(weights, {lr = 0.1}):step(gradient)
  local chosen = steps.new{rule = "pairs", value = 8}
  local history = tide.train{model = model, data = {x = x, y = y},
    optimizer = tide.optim.sgd(model, {lr = 0.1}), loss = "cross_entropy",
    batch = 50, iterations = 1, shuffle = false, adaption = chosen, quiet = true}
  local p, q = tide.tree.tensors(model), tide.tree.tensors(weights)
  for i in ipairs(p) do assert((p[i] - q[i]):abs():max():item() < 1e-6, i) end
  assert(history.nfe_forward[1] == 24 and value:item() ~= history.loss[1])
  assert(chosen.nfe == 0 and #chosen.history == 1) -- the look is the step itself
end

tests["training in pairs: with any method, labels or signs"] = function()
  for method, expected in pairs{euler = (5 * 8 + 16) / 5, midpoint = (5 * 16 + 32) / 5,
    rk4 = (5 * 32 + 64) / 5} do
    for _, kind in ipairs{"labels", "signs"} do
      local model, d = small_task()
      local loss = "cross_entropy"
      if kind == "signs" then
        model = tide.nn.odenet{dim = 2, hidden = 8, out = 1, seed = 1, solver = {method = "euler", steps = 2}}
        d, loss = tide.data.spheres{dim = 2, inner = 50, outer = 100}, "mse"
      end
      local chosen = steps.new{rule = "pairs", method = method, value = 8, min_steps = 8, max_steps = 8}
      local history = tide.train{model = model, data = d, optimizer = "adam", loss = loss, batch = 50,
        iterations = 40, record_every = 5, adaption = chosen, quiet = true}
      for _, nfe in ipairs(history.nfe_forward) do near(nfe, expected) end
      assert(#chosen.history == 8 and chosen.history[8].iteration == 36)
      assert(chosen.history[8].test and chosen.history[8].distance >= 0)
    end
  end
end

-- A rule that refines by two when a window is rejected, and nothing else.
local function doubling(value)
  return {value = value, whole = true, next = function(self) return self.value end,
    refine = function(self)
      self.value = 2 * self.value
      return self.value
    end}
end

tests["a rejected window leaves no trace but its cost"] = function()
  local function run(chosen, more)
    local model, d = small_task()
    local o = {model = model, data = d, optimizer = tide.optim.adam(model, {lr = 1e-2}),
      loss = "cross_entropy", batch = 50, iterations = 12, record_every = 6, adaption = chosen, quiet = true}
    for key, v in pairs(more or {}) do o[key] = v end
    return model, tide.train(o)
  end
  local function windowed(value, rejections)
    local chosen = steps.new{rule = doubling(value), mix = 0, window = 4}
    chosen.check = function() -- the first one fails so many times
      rejections = rejections - 1
      return rejections >= 0 and 2 or 0, 50
    end
    return chosen
  end
  local plain = run(windowed(8, 0))
  local chosen = windowed(2, 2)
  local records = {}
  local model, history = run(chosen, {callback = function(r) records[#records + 1] = r.iteration end})
  assert(chosen.rejected == 2 and chosen.rule.value == 8 and #history == 2 and records[1] == 6)
  local p, q = tide.tree.tensors(model), tide.tree.tensors(plain)
  for i in ipairs(p) do assert(p[i]:ne(q[i]):to("int64"):sum():item() == 0, i) end
  assert(history.nfe_forward[1] == 8 and history.nfe_forward[2] == 8)
  -- two windows of four iterations for nothing, six checks of one evaluation of a batch (4, 4, 4, 6, 8, 12),
  -- and the looks
  assert(chosen.nfe >= 4 * 2 + 4 * 4 + 6, chosen.nfe)
  -- after four rejections in a row it goes on
  chosen = windowed(1, 100)
  run(chosen)
  assert(chosen.rejected == 4 * 4) -- of each of the windows that end at 4, 6, 8, 12
  check.fails("windows go back to earlier weights, so the optimizer must have", run, windowed(2, 1),
    {optimizer = {step = function() end}})
end

tests["windows: the check is the change of the accuracy by a tight solver"] = function()
  local model, d = small_task()
  local chosen = steps.new{rule = "pairs", value = 1, max_steps = 64, window = 10, target = 0.9}
  for _, w in ipairs(tide.tree.tensors(model)) do w:copy_(w * 4) end -- one step of Euler's is far off
  local times, nfe = chosen.check(1, model, d, 1)
  local own, tight = model(d.x, {solver = {method = "euler", steps = 1}}),
    model(d.x, {solver = {method = "rk4", steps = 64}})
  local change = math.abs(adaption.accuracy(own, d.y) - adaption.accuracy(tight, d.y))
  assert(math.abs(times * 0.07 - change) < 0.03 and nfe == 200 * (1 + 4 * 8), nfe)
  local history = train(model, d, chosen, 40)
  assert(#history > 0 and chosen.rejected > 0 and chosen.rule.value > 1)
end

tests["training: a rule of one's own, and the same numbers again"] = function()
  local function run()
    local model, d = small_task()
    local mine = {value = 0.5, next = function(self, m)
      self.value = m.test >= m.train and 0.25 or 0.125
      return self.value
    end}
    local chosen = steps.new{rule = mine, every = 10}
    return train(model, d, chosen, 30), chosen
  end
  local a, chosen = run()
  local b = run()
  assert(#chosen.history == 3 and a.loss[#a] == b.loss[#b])
end

tests["training: tolerances"] = function()
  local model, d = small_task()
  for _, method in ipairs{"dopri5", "fehlberg21"} do
    for _, rule in ipairs{"published", "corrected"} do
      local chosen = tolerances.new{rule = rule, method = method, value = 1e-3, every = 5}
      train(model, d, chosen, 12)
      assert(#chosen.history == 3 and chosen.nfe > 0 and chosen:solver().rtol == chosen:solver().atol)
    end
  end
end

tests["misuse"] = function()
  check.fails('step_adaption.new: unknown rule "statd" (did you mean "stated"?)', steps.new,
    {rule = "statd", value = 1})
  check.fails("give value", steps.new, {rule = "stated"})
  check.fails("give value", steps.new, {rule = "pairs"})
  check.fails('penalty is for rule = "pairs", which solves by two solvers, got rule = "steady"', steps.new,
    {rule = "steady", value = 4, penalty = 1})
  check.fails('window is for rule = "pairs", or a rule of your own with refine', steps.new,
    {rule = "stated", value = 0.5, window = 10})
  check.fails("smoothing must be in (0, 1]", steps.new, {rule = "pairs", value = 4, smoothing = 0})
  check.fails("target must be", steps.new, {rule = "pairs", value = 4, target = 2})
  check.fails("target must be", steps.new, {rule = "pairs", value = 4, target = 0})
  check.fails('unknown option "high"', steps.new, {rule = "pairs", value = 4, high = 0.1})
  check.fails('unknown option "treshold" (did you mean "threshold"?)', steps.new,
    {rule = "stated", value = 1, treshold = 1})
  check.fails("low must be < high", steps.new, {rule = "steady", value = 4, low = 0.3})
  check.fails("min_steps must be <= max_steps", steps.rule, "steady",
    {value = 4, min_steps = 8, max_steps = 4})
  check.fails("a rule of your own must be a table {value = number", steps.new, {rule = {value = "a"}})
  check.fails("smallest must be <= largest", tolerances.new, {smallest = 1e-2, largest = 1e-3})
  check.fails("smallest_rtol must be >= 1.2e-06, what float32 can resolve", tolerances.new,
    {smallest_rtol = 1e-7})
  check.fails("tide.train: adaption must have the methods solver and observe", function()
    local model, d = small_task()
    train(model, d, {}, 1)
  end)
  check.fails("give solver or adaption, not both", function()
    local model, d = small_task()
    tide.train{model = model, data = d, optimizer = "adam", iterations = 1, solver = {steps = 2},
      adaption = steps.new{value = 4}, quiet = true}
  end)
end

return tests
