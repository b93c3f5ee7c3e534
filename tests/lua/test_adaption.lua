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

tests["finer solvers"] = function()
  local function is(options, method, size)
    assert(options.method == method) near(options.step_size or options.steps, size)
  end
  is(steps.finer("stated", "euler", 0.25), "midpoint", 0.25)
  is(steps.finer("stated", "midpoint", 0.25), "rk4", 0.25)
  is(steps.finer("stated", "rk4", 0.25), "rk4", 0.125)
  is(steps.finer("steady", "euler", 16), "rk4", 16)
  is(steps.finer("steady", "rk4", 16), "rk4", 32)
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
  local chosen = steps.new{value = 8, mix = 4, high = 0.99, low = 0.98, patience = 1000}
  local history = train(model, d, chosen, 40)
  assert(chosen.rule.value == 8)
  local sum = 0
  for _, nfe in ipairs(history.nfe_forward) do sum = sum + nfe end
  near(sum / #history, (3 * 8 + 16) / 4)
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
  check.fails('unknown option "treshold" (did you mean "threshold"?)', steps.new,
    {rule = "stated", value = 1, treshold = 1})
  check.fails("low must be < high", steps.new, {value = 4, low = 0.3})
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
